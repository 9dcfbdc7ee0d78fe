"""Are the files of a run as the run has left them?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from riskbench.errors import PlaybookError, listed
from riskbench.runner import seal
from riskbench.runner.folder import RECORD
from riskbench.runner.kept import Kept

_AS_SEALED, _ADDED = "as sealed", "added since"


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """Whether a run's files were changed (None where nobody can tell), why, and each file that is not as sealed."""

    moved: bool | None
    why: str
    rows: tuple[tuple[str, str], ...] = ()


def touched(kept: Kept) -> Touched:
    """Return whether the files of a run, or the page of it that was handed over, were changed by hand.

    The ledger keeps the hash of run.json, and run.json those of the other files: to change one unseen, somebody would
    have to change the ledger.
    """
    page = kept.handed
    if page is not None and not (kept.folder == page.parent and page.name in {*kept.sealed, *kept.mark("seal")}):
        found = _handed(kept)
        if found.moved is not False or kept.folder != page.parent:
            return found  # a copy that lies among the run's own files does not make them right
    said = kept.contradicted
    if said:
        return Touched(
            moved=True,
            why=f"the ledger's {listed(said)} of this run are not what its sealed run.json says",
            rows=tuple((RECORD, f"the ledger says another {name}") for name in said),
        )
    if kept.folder is None:
        return Touched(moved=None, why=kept.problem or "there is no run folder")
    told = kept.mark("seal").get(RECORD)
    if kept.entry is not None and told is None:
        return Touched(moved=None, why="the run bears no seal: it was made before runs were sealed, or did not end")
    rows = list(_rows(kept))
    changed = [name for name, state in rows if state not in (_AS_SEALED, _ADDED)]
    shown = tuple((name, state) for name, state in rows if state != _AS_SEALED)
    added = sum(state == _ADDED for _, state in rows)
    more = f"; {added} file{'' if added == 1 else 's'} added since" if added else ""
    if changed:
        return Touched(moved=True, why=f"not as the run has left it: {listed(changed, most=5)}{more}", rows=shown)
    if kept.entry is None:
        why = f"no ledger knows this run, so nobody vouches for its record ({kept.ledger or 'none was found'})"
        return Touched(moved=None, why=why, rows=shown)
    return Touched(moved=False, why=f"{len(rows) - added} files are as the run has left them{more}", rows=shown)


def _rows(kept: Kept) -> Iterator[tuple[str, str]]:
    """Yield each file of a run folder and how it stands to the seal; run.json first."""
    folder, sealed = kept.folder, kept.sealed
    assert folder is not None
    own = kept.mark("seal")
    if kept.entry is not None:
        yield RECORD, "as sealed" if kept.vouched else "cannot be read" if kept.problem else "changed"
        sealed = {**sealed, **{name: mark for name, mark in own.items() if isinstance(mark, str)}}
        sealed.pop(RECORD, None)
    there = set(seal.files(folder))
    for name in sorted(sealed):
        yield name, _state(kept, name, sealed[name], there=name in there)
    for name in sorted(there - set(sealed) - {RECORD}):
        yield name, _ADDED


def _state(kept: Kept, name: str, mark: str, *, there: bool) -> str:
    assert kept.folder is not None
    try:
        return _AS_SEALED if seal.digest(kept.folder, name) == mark else "changed"
    except PlaybookError as error:
        return error.what if there or ".." in name else "gone"


def _handed(kept: Kept) -> Touched:
    """Return whether a page that lies elsewhere is one that its run has left."""
    page = kept.handed
    assert page is not None
    marks = {name: mark for name, mark in kept.mark("seal").items() if name != RECORD}
    if kept.entry is None:
        return Touched(
            moved=None, why=f"the page is of run {kept.id}, which no ledger here knows; name it with --store"
        )
    if not marks:
        return Touched(moved=None, why=f"run {kept.id} bears no seal")
    try:
        mark = seal.digest(page.parent, page.name)
    except PlaybookError as error:
        return Touched(moved=None, why=error.what)
    found = next((name for name, known in marks.items() if known == mark), None)
    if found is not None:
        return Touched(moved=False, why=f"it is {found} of run {kept.id}, byte for byte")
    return Touched(
        moved=True,
        why=f"it is not what run {kept.id} has left",
        rows=((page.name, "unlike every sealed page of its run"),),
    )
