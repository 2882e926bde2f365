"""Specs as rows and plain data, for `list` and `show`."""

from typing import Any

from harness.common.errors import SpecError
from harness.common.strict import Strict
from harness.spec.catalog import KINDS, Catalog
from harness.spec.encoder import Encoder
from harness.spec.explain import nearest, show
from harness.spec.recipe import Protocol
from harness.spec.suite import Suite
from harness.spec.task import Task


def listing(what: str, catalog: Catalog) -> list[dict[str, str]]:
    """One row a spec: kind, name, what it is. `what`: tasks, encoders, suites, protocols or all."""
    words = [f"{kind}s" for kind in KINDS]
    if what not in ("all", *words):
        raise SpecError(f"cannot list {show(what)}{nearest(what, [*words, 'releases', 'all'])}")
    rows = []
    for kind in KINDS:
        if what not in ("all", f"{kind}s"):
            continue
        for name, spec in sorted(getattr(catalog, f"{kind}s").items()):
            mine = "yours" if (kind, name) in catalog.user else ""
            rows.append({"kind": kind, "name": name, "what": _line(spec), "from": mine})
    return rows


def _line(spec: Task | Encoder | Suite | Protocol) -> str:
    if isinstance(spec, Task):
        several = len(spec.languages) > 1
        languages = f"{len(spec.languages)} languages" if several else spec.languages[0]
        return f"{'+'.join(spec.role)}, {spec.family}, {languages}: {spec.about.title}"
    if isinstance(spec, Encoder):
        given = spec.source
        source = given.path or given.hub or given.package or "only from --encoder-root"
        return f"pretrained on {spec.pretrained_on} text; {source}"
    if isinstance(spec, Protocol):
        return spec.about.strip()
    smoke = "SMOKE: " if spec.smoke else ""
    size = f"{len(spec.arms)} conditions × {len(spec.targets)} targets × {len(spec.seeds)} seeds"
    return f"{smoke}{size}: {spec.about.strip()}"


def described(name: str, catalog: Catalog) -> dict[str, Any]:
    """One spec with its defaults filled in, and the file it came from. SpecError if nothing has
    that name."""
    everything: list[str] = []
    for kind in KINDS:
        known: dict[str, Strict] = getattr(catalog, f"{kind}s")
        everything += known
        if name not in known:
            continue
        spec = known[name]
        data = spec.model_dump(exclude_none=True)
        if isinstance(spec, Task):
            data["options"] = spec.family_options.model_dump()
        return data | {"file": str(catalog.sources[kind, name].path)}
    near = nearest(name, everything)
    unknown = f"no task, encoder, suite or protocol is called {show(name)}{near}"
    raise SpecError("\n".join([*catalog.broken, unknown]))
