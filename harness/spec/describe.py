"""Specs as rows and plain data, for `list` and `show`."""

from harness.common.errors import SpecError
from harness.spec.catalog import KINDS, Catalog
from harness.spec.explain import nearest, show


def listing(what: str, catalog: Catalog) -> list[dict]:
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
            rows.append({"kind": kind, "name": name, "what": _line(kind, spec), "from": mine})
    return rows


def _line(kind: str, spec) -> str:
    if kind == "task":
        languages = (
            spec.languages[0] if len(spec.languages) == 1 else f"{len(spec.languages)} languages"
        )
        return f"{'+'.join(spec.role)}, {spec.family}, {languages}: {spec.about.title}"
    if kind == "encoder":
        return (
            f"pretrained on {spec.pretrained_on} text;"
            f" {spec.source.hub or spec.source.package or 'only from --encoder-root'}"
        )
    if kind != "suite":
        return spec.about.strip()
    smoke = "SMOKE: " if spec.smoke else ""
    return (
        f"{smoke}{len(spec.arms)} arms × {len(spec.targets)} targets × {len(spec.seeds)} seeds:"
        f" {spec.about.strip()}"
    )


def described(name: str, catalog: Catalog) -> dict:
    """One spec with its defaults filled in, and the file it came from. SpecError if nothing has
    that name."""
    found = [
        (kind, getattr(catalog, f"{kind}s")[name])
        for kind in KINDS
        if name in getattr(catalog, f"{kind}s")
    ]
    if not found:
        everything = [n for kind in KINDS for n in getattr(catalog, f"{kind}s")]
        unknown = (
            f"no task, encoder, suite or protocol is called {show(name)}{nearest(name, everything)}"
        )
        raise SpecError("\n".join([*catalog.broken, unknown]))
    kind, spec = found[0]
    data = spec.model_dump(exclude_none=True)
    if kind == "task":
        data["options"] = spec.family_options.model_dump()
    return data | {"file": str(catalog.sources[kind, name].path)}
