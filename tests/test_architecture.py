"""Is the house still the house? Floors, rooms, who may know what, and how a room looks."""

from __future__ import annotations

import ast
import doctest
import inspect
import json
import re
import shutil
import subprocess
import sys
from dataclasses import is_dataclass

import house
import pytest

import riskbench

PATHS = [pytest.param(path, id=house.name_of(path)) for path in house.SOURCES]

#: Each heavy library is known to one room.
KNOWN_TO = {
    "duckdb": "engine",
    "sqlglot": "engine",
    "matplotlib": "display",
    "papermill": "runner",
    "nbconvert": "runner",
    "nbformat": "runner",
    "nbclient": "runner",
    "jupyter_client": "runner",
    "sqlalchemy": "store",
    "sklearn": "calibration",
    "typer": "cli",
    "shap": "explanation",
    "numba": "engine",
    "ipywidgets": "widgets",
}
#: What `import riskbench` must leave alone.
HEAVY = {
    *KNOWN_TO,
    "IPython", "adbc_driver_postgresql", "ipykernel", "jupyterlab", "numpy", "pandas", "polars", "psycopg",
    "pyarrow", "pydantic", "ruamel", "scipy", "skops", "tqdm",
}  # fmt: skip
#: What even the whole public face must leave alone until a verb needs it.
ON_DEMAND = {
    "matplotlib",
    "sklearn",
    "papermill",
    "nbconvert",
    "sqlalchemy",
    "scipy",
    "shap",
    "numba",
    "ipywidgets",
    "typer",
}
#: Verbs whose example would start a notebook kernel; the playbook tests run them.
STARTS_A_KERNEL = {"run", "start"}
#: Fewer docstring examples than this means that they were not found.
EXAMPLES_AT_LEAST = 20


# -- floors ------------------------------------------------------------------------------------------------


def _floors(folder) -> subprocess.CompletedProcess[str]:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


def test_floors_are_kept():
    done = _floors(house.ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("engine/table.py", "import riskbench.rules"),
        ("errors.py", "import riskbench.config"),
        ("rules/__init__.py", "def late():\n    import riskbench.calibration"),
    ],
    ids=["two floors up", "from the ground", "inside a function"],
)
def test_an_import_upwards_breaks_the_floors(tmp_path, where, line):
    shutil.copytree(house.PACKAGE, tmp_path / "riskbench", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(house.ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "riskbench" / where).open("a") as file:
        file.write(f"\n{line}\n")
    done = _floors(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout


def test_a_room_without_a_floor_breaks_the_floors(tmp_path):
    shutil.copytree(house.PACKAGE, tmp_path / "riskbench", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(house.ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "riskbench" / "attic").mkdir()
    (tmp_path / "riskbench" / "attic" / "__init__.py").touch()
    assert _floors(tmp_path).returncode == 1


@pytest.mark.parametrize("path", PATHS)
def test_each_heavy_library_is_known_to_one_room(path):
    room = house.room_of(path)
    wrong = [
        f"line {line}: {name} belongs to {KNOWN_TO[name.split('.')[0]]}"
        for line, name in house.imports_of(path)
        if KNOWN_TO.get(name.split(".")[0], room) != room
    ]
    assert not wrong


@pytest.mark.parametrize("path", PATHS)
def test_no_room_reaches_another_through_the_public_face(path):
    face = {"riskbench", *(f"riskbench.{name}" for name in riskbench._HOMES)}
    assert not [f"line {line}: {name}" for line, name in house.imports_of(path) if name in face]


# -- importing ---------------------------------------------------------------------------------------------

_WATCH = """
import json, os, sys
before, acts = set(sys.modules), []
def watch(event, args):
    if event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        acts.append(f"opens {args[0]} for writing")
    elif event.split(".")[0] in ("socket", "subprocess") or event in ("os.mkdir", "os.remove", "os.rename", "os.fork"):
        acts.append(event)
sys.addaudithook(watch)
BODY
print(json.dumps({"loaded": sorted(set(sys.modules) - before), "acts": acts}))
"""


def _watched(body: str, folder) -> tuple[set[str], list[str]]:
    """Run some lines in a fresh Python; return the modules they loaded and what they did to the world."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", _WATCH.replace("BODY", body)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(done.stdout)
    return set(seen["loaded"]), seen["acts"]


def _families(loaded: set[str]) -> set[str]:
    return {name.split(".")[0] for name in loaded}


def test_import_loads_itself_and_little_of_the_standard_library(tmp_path):
    loaded, acts = _watched("import riskbench", tmp_path)
    assert {name for name in loaded if name.startswith("riskbench")} == {"riskbench"}
    assert not _families(loaded) & HEAVY
    assert len(loaded) < 60, sorted(loaded)
    assert acts == []
    assert list(tmp_path.iterdir()) == []


def test_the_public_face_loads_no_library_before_a_verb_needs_it(tmp_path):
    loaded, acts = _watched("import riskbench as rb\nfor name in rb.__all__: getattr(rb, name)", tmp_path)
    assert not _families(loaded) & ON_DEMAND
    assert [act for act in acts if "writing" in act or "socket.connect" in act] == []
    assert list(tmp_path.iterdir()) == []


def test_the_watch_sees_what_it_watches_for(tmp_path):
    loaded, acts = _watched("import wave, socket\nopen('x', 'w').close()\nsocket.socket().close()", tmp_path)
    assert "wave" in loaded
    assert any("writing" in act for act in acts)
    assert any(act.startswith("socket") for act in acts)


# -- names -------------------------------------------------------------------------------------------------


def test_public_names_are_sorted_and_all_there():
    assert riskbench.__all__ == sorted(set(riskbench.__all__))
    assert set(riskbench.__all__) == {*riskbench._HOMES, "__version__"}
    assert dir(riskbench) == riskbench.__all__
    for name, value in house.public().items():
        assert value.__module__ == riskbench._HOMES[name], f"{name} lives in {value.__module__}"
    with pytest.raises(AttributeError, match="simulat_"):
        _ = riskbench.simulat_


def test_type_checkers_see_the_same_names():
    tree = house.tree_of(house.PACKAGE / "__init__.py")
    guarded = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    seen = {
        alias.asname: f"{node.module}"
        for block in guarded
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == riskbench._HOMES


def test_no_public_name_is_a_room():
    planned = re.findall(r"\w+", " ".join(_layers()))
    assert set(house.ROOMS) <= set(planned)
    assert not set(riskbench.__all__) & {*house.ROOMS, *planned}


def _layers() -> list[str]:
    import tomllib

    text = (house.ROOT / "pyproject.toml").read_text()
    return tomllib.loads(text)["tool"]["importlinter"]["contracts"][0]["layers"]


@pytest.mark.parametrize("name", [name for name in riskbench.__all__ if name != "__version__"])
def test_public_verbs_take_at_most_two_positional_arguments(name):
    value = getattr(riskbench, name)
    verbs = [value] if inspect.isfunction(value) else _own_functions(value)
    for verb in verbs:
        parameters = inspect.signature(verb).parameters.values()
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        given = [p.name for p in positional if p.name not in ("self", "cls")]
        assert len(given) <= 2, f"{verb.__qualname__} takes {given}"
        assert not [p.name for p in positional if isinstance(p.default, bool)], f"{verb.__qualname__}: keyword-only"


def _own_functions(cls: type) -> list[object]:
    held = [value.__func__ if isinstance(value, classmethod | staticmethod) else value for value in vars(cls).values()]
    return [value for value in held if inspect.isfunction(value) and not value.__name__.startswith("_")]


@pytest.mark.parametrize("name", [name for name in riskbench.__all__ if name != "__version__"])
def test_public_nouns_are_frozen(name):
    from riskbench.widgets.panel import Panel  # the one exception: what is moved by hand changes

    value = getattr(riskbench, name)
    if inspect.isclass(value) and not issubclass(value, (Exception, Panel)):
        assert is_dataclass(value), f"{name} is no dataclass"
        assert value.__dataclass_params__.frozen, f"{name} can be changed"


@pytest.mark.parametrize("name", [name for name in riskbench.__all__ if name != "__version__"])
def test_public_names_say_what_they_are(name):
    text = inspect.getdoc(getattr(riskbench, name)) or ""
    assert not text.startswith(f"{name}("), f"{name} has no docstring of its own"
    assert re.match(r"[A-Z][^\n]+[.?]($|\n)", text), f"{name}: one sentence first"
    if inspect.isfunction(getattr(riskbench, name)) and name not in STARTS_A_KERNEL:
        assert ">>>" in text, f"{name}: an example that runs"


def test_docstring_examples_are_found():
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [test for module in house.modules() for test in finder.find(module) if test.examples]
    assert len(found) >= EXAMPLES_AT_LEAST


# -- rooms -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_files_stay_small_and_are_named_after_what_they_hold(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 500, f"{lines} lines: split the file"
    assert not {"utils", "util", "core", "common", "helpers", "base", "manager", "misc"} & set(
        path.relative_to(house.PACKAGE).with_suffix("").parts
    )


@pytest.mark.parametrize("path", PATHS)
def test_modules_say_in_one_sentence_what_they_answer(path):
    text = ast.get_docstring(house.tree_of(path)) or ""
    assert text, "no module docstring"
    assert text.splitlines()[0].rstrip().endswith((".", "?", ":")), "its first line is one sentence"


@pytest.mark.parametrize("room", house.ROOMS)
def test_a_rooms_face_is_a_sentence_imports_and_sorted_names(room):
    path = house.PACKAGE / room / "__init__.py"
    body = house.tree_of(path).body
    assert isinstance(body[0], ast.Expr), "a docstring first"
    rest = body[1:]
    if not rest:
        return
    *imports, last = rest
    assert all(isinstance(node, ast.ImportFrom) for node in imports), "imports only"
    assert isinstance(last, ast.Assign), "then __all__"
    assert ast.unparse(last.targets[0]) == "__all__"
    names = ast.literal_eval(last.value)
    order = sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert names == order, "constants, nouns, verbs, each sorted"
    brought = {alias.asname or alias.name for node in imports for alias in node.names if node.module != "__future__"}
    assert set(names) == brought


def test_rooms_are_two_deep_at_most():
    deep = [house.name_of(path) for path in house.SOURCES if len(path.relative_to(house.PACKAGE).parts) > 3]
    assert not deep


# -- what no file may do -----------------------------------------------------------------------------------

_FORBIDDEN_CALLS = {"eval", "exec", "compile", "breakpoint", "input"}
_FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "requests", "httpx", "urllib3"}
_SEEDED = {"default_rng", "Generator", "SeedSequence", "PCG64", "Philox", "BitGenerator"}


def _faults(tree: ast.Module) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FORBIDDEN_CALLS:
            found.append(f"line {node.lineno}: {node.func.id}()")
        if isinstance(node, ast.Attribute):
            dotted = ast.unparse(node)
            random = re.fullmatch(r"(?:np|numpy)\.random\.(\w+)", dotted)
            if random and random[1] not in _SEEDED:
                found.append(f"line {node.lineno}: {dotted} has no seed of its own")
            if node.attr in ("iterrows", "applymap", "read_pickle", "to_pickle"):
                found.append(f"line {node.lineno}: .{node.attr}")
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("default_rng") and not node.args:
            found.append(f"line {node.lineno}: default_rng() without a seed")
    return found


@pytest.mark.parametrize("path", PATHS)
def test_no_file_runs_outside_text_unpickles_or_draws_without_a_seed(path):
    modules = [
        f"line {line}: {name}" for line, name in house.imports_of(path) if name.split(".")[0] in _FORBIDDEN_MODULES
    ]
    assert not _faults(house.tree_of(path)) + modules


@pytest.mark.parametrize(
    "text", ["eval('1')", "np.random.rand(3)", "np.random.default_rng()", "for row in frame.iterrows(): pass"]
)
def test_the_faults_are_seen(text):
    assert _faults(ast.parse(text))
    assert not _faults(ast.parse("np.random.default_rng(7).normal()"))
