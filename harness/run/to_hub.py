"""A release for the hub: what goes there, and its own client that brings it.

README.md                        the model card
releases/NAME.json, .env.json    the release and its sidecar: `--board` reads the folder
releases/NAME.md, index.html     the same to read
weights/CONDITION/seed-N/        if asked for: the encoder after the intermediate, as
                                 `AutoModel.from_pretrained(REPO, subfolder=…)` takes it
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.common.errors import HarnessError, MissingError, SpecError
from harness.page.board_files import PAGE, README
from harness.page.page import render as render_page
from harness.page.render import markdown
from harness.release.document import Board, as_content, beside, plain_bytes
from harness.release.schema import ArmFacts, Content, TrainedRun
from harness.run.card import card
from harness.store import Store
from harness.store.job import WEIGHTS

# Without its heads, a trained model is an encoder as transformers saves it, and perhaps its pooler.
BODY, POOLER = "encoder.", "pooler."


@dataclass(frozen=True)
class Upload:
    """A file that goes to the hub: where it stands there, and its bytes."""

    path: str
    data: Callable[[], bytes]


def check_repo(repo: str) -> None:
    """SpecError unless the hub could have a repository of that name, before anything is read."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # lazy there

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise SpecError(f"--repo {repo}: write USER/NAME: {_line(error)}") from error
    if "/" not in repo:
        raise SpecError(f"--repo {repo}: write USER/NAME; it does not say whose repository it is")


def uploads(
    shelf: Board, path: Path, content: dict[str, Any], repo: str, store: Store | None
) -> list[Upload]:
    """All that goes to `repo`, the card first. `store`: where the weights of intermediate trainings
    are, if they are to go too.

    raises  MissingError: they are not there; SpecError: no training of it is an intermediate's
    """
    release, name = as_content(path, content), path.stem
    texts = {
        README: card(release, name, shelf.sidecar(path), repo),
        f"releases/{name}.md": markdown(release, shelf.title(path)),
        PAGE: render_page([(name, release)]),
    }
    found = [Upload(to, text.encode) for to, text in texts.items()]
    for file in (path, beside(path)):
        if file.exists():
            found.append(Upload(f"releases/{file.name}", _reader(file)))
    return found + (list(_weights(release, store)) if store else [])


def _reader(file: Path) -> Callable[[], bytes]:
    return lambda: plain_bytes(file)


def _weights(release: Content, store: Store) -> Iterator[Upload]:
    trained = [(name, of, run) for name, of in release.arms.items() for run in of.trained]
    if not trained:
        raise SpecError("--weights: nothing of this release was trained on an intermediate")
    several = len(release.encoders) > 1
    for condition, facts, run in trained:
        _check_kept(condition, run, store)
        encoder = f"{run.encoder}/" if several else ""
        at = f"weights/{encoder}{condition}/seed-{run.seed}"
        yield Upload(f"{at}/{WEIGHTS}", _body(store, run.key))
        yield from _beside(at, facts, run, store)


def _check_kept(condition: str, run: TrainedRun, store: Store) -> None:
    whose = f"{run.encoder} after {condition}, seed {run.seed}"
    if not store.on_disk(run.key, WEIGHTS):
        raise MissingError(
            f"--weights: those of {whose}, are not in {store.root}: they are dropped once all that"
            " read them is done. `xstilts-harness eval --keep-weights` with the same store"
            " computes and keeps them"
        )
    from safetensors import safe_open

    with safe_open(store.path(run.key, WEIGHTS), "np") as file:
        if not any(name.startswith(BODY) for name in file.keys()):  # noqa: SIM118 # no mapping
            raise SpecError(
                f"--weights: of {whose}, the store has adapters (LoRA) and not the encoder; push"
                " without --weights"
            )


def _beside(at: str, facts: ArmFacts, run: TrainedRun, store: Store) -> Iterator[Upload]:
    """Config and tokenizer, from the encoder's own folder."""
    encoder = store.read_job(run.key)["encoder"]
    folder = Path(encoder["folder"])
    for name in encoder["identity"]["files"]:
        if not name.endswith((".safetensors", ".bin", ".index.json")):
            if not (folder / name).is_file():
                raise MissingError(
                    f"--weights: {folder / name} is gone; put it back, or leave it out"
                )
            yield Upload(f"{at}/{name}", _reader(folder / name))


def _body(store: Store, key: str) -> Callable[[], bytes]:
    """The encoder's weights alone: heads are the intermediate task's own."""

    def read() -> bytes:
        from safetensors.numpy import load, save

        whole = load(store.path(key, WEIGHTS).read_bytes())
        body = {
            name.removeprefix(BODY): tensor
            for name, tensor in whole.items()
            if name.startswith((BODY, POOLER))
        }
        return save(body, {"format": "pt"})

    return read


def send(repo: str, files: list[Upload], message: str, private: bool) -> str:
    """Bring them to a model repository, made if it is not there, in one commit; its address.

    Who we are is for the client alone: HF_TOKEN, or what `hf auth login` left.

    raises  HarnessError: it is refused or cannot be reached; nothing has changed then, but that an
            empty repository may have been made
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import (  # type: ignore[attr-defined]  # of the library below it
        HFValidationError,
        HTTPError,
        OfflineModeIsEnabled,
    )

    api = HfApi()
    # by way of files: weights of several trainings are more than memory may hold
    with tempfile.TemporaryDirectory() as folder:
        try:
            adds = []
            for number, file in enumerate(files):
                part = Path(folder, str(number))
                part.write_bytes(file.data())
                adds.append(CommitOperationAdd(file.path, part))
            api.create_repo(repo, private=private or None, exist_ok=True)
            return str(api.create_commit(repo, adds, commit_message=message).commit_url)
        except HFValidationError as error:
            raise SpecError(f"--repo {repo}: {_line(error)}") from error
        except OfflineModeIsEnabled as error:
            raise HarnessError(f"{repo}: HF_HUB_OFFLINE is set; unset it to push") from error
        except HTTPError as error:
            raise HarnessError(f"{repo}: {_refusal(error)}") from error
        except ValueError as error:  # the hub's words on the card's metadata
            raise HarnessError(f"{repo}: the hub refuses the card: {_line(error)}") from error


def _refusal(error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    known = {
        None: f"no way to the hub: {_line(error)}; try again where there is a network",
        401: "the hub does not know who you are; log in with `hf auth login`, or set HF_TOKEN",
        403: "your token may not write there; take one with the right to, or another --repo",
    }
    return known.get(status, f"the hub answers {status}: {_line(error)}")


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def listing(files: list[Upload]) -> list[str]:
    """What would go, a file a line: bytes and name."""
    return [f"{len(file.data()):>12,}  {file.path}" for file in files]
