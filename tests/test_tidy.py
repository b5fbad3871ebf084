"""House rules that no linter knows: sizes, words, drift between files that must agree."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = (
    "domain",
    "personal_data",
    "eventlog",
    "command_api",
    "projectors",
    "query_api",
    "audit",
    "seeding",
    "runtime",
    "cli",
    "migrations",
)
MODULE_LINES_MAX = 300
TEST_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
FOLDER_MODULES_MAX = 16
FORBIDDEN_FOLDERS = {"utils", "common", "core", "services", "platform", "interfaces"}
PARKING_WORDS = re.compile(r"\b(TODO|FIXME|XXX)\b")
INDEX_ADDRESS = re.compile(r"(index-url|https?://[^\s]*(pypi|/simple|maven|npmjs))", re.IGNORECASE)
MACHINE_PATH = re.compile(r"(?<![\w.])/(root|work|home/\w+)/")


def tracked() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


FILES = tracked()
MODULES = [
    path
    for path in FILES
    if path.suffix == ".py" and "_gen" not in path.parts and path.relative_to(ROOT).parts[0] in OURS
]
TESTS = [
    path for path in FILES if path.suffix == ".py" and path.relative_to(ROOT).parts[0] == "tests"
]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> list[tuple[str, int]]:
    tree = ast.parse(path.read_text())
    return [
        (node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_there_is_something_to_look_at():
    assert len(MODULES) > 40
    assert len(TESTS) > 15


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_is_a_few_screens(path):
    assert len(path.read_text().splitlines()) <= MODULE_LINES_MAX, "look for the second concept"


@pytest.mark.parametrize("path", TESTS, ids=name)
def test_a_test_file_is_bounded(path):
    assert len(path.read_text().splitlines()) <= TEST_LINES_MAX


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_function_is_a_screen(path):
    long = [(f, lines) for f, lines in functions(path) if lines > FUNCTION_LINES_MAX]

    assert long == []


def test_a_folder_can_be_taken_in_at_a_glance():
    counts: dict[Path, int] = {}
    for path in MODULES:
        counts[path.parent] = counts.get(path.parent, 0) + 1

    assert {name(f): n for f, n in counts.items() if n > FOLDER_MODULES_MAX} == {}


def test_no_folder_is_a_drawer_for_everything():
    assert [name(path) for path in FILES if FORBIDDEN_FOLDERS & set(path.parts)] == []


def test_every_module_says_what_it_is_for():
    silent = [name(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]

    assert silent == []


def test_nothing_is_put_off_without_an_issue():
    parked = [name(path) for path in MODULES + TESTS if PARKING_WORDS.search(path.read_text())]

    assert [entry for entry in parked if entry != name(Path(__file__))] == []


def test_no_file_names_a_registry_or_a_machine():
    named = []
    for path in FILES:
        if path == Path(__file__) or path.suffix in {".png", ".parquet"}:
            continue
        text = path.read_text(errors="replace")
        if INDEX_ADDRESS.search(text) or MACHINE_PATH.search(text):
            named.append(name(path))

    assert named == []


def test_the_domain_knows_no_clock_no_chance_and_no_io():
    forbidden = {"time", "datetime", "random", "uuid", "os", "asyncio", "logging", "secrets"}
    found = []
    for path in MODULES:
        if path.parent.name != "domain":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            imported = {
                alias.name.split(".")[0]
                for alias in getattr(node, "names", [])
                if isinstance(node, ast.Import)
            }
            if isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
            found += [(name(path), module) for module in imported & forbidden]

    assert found == []


def test_the_generated_protobuf_code_is_current(tmp_path):
    """`make proto` would change nothing."""
    plugin = Path(sys.executable).parent / "protoc-gen-mypy"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            "-Iproto",
            f"--plugin=protoc-gen-mypy={plugin}",
            f"--python_out={tmp_path}",
            f"--mypy_out={tmp_path}",
            "orders/v1/events.proto",
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for suffix in (".py", ".pyi"):
        generated = (tmp_path / f"orders/v1/events_pb2{suffix}").read_text()

        assert generated == (ROOT / f"eventlog/_gen/orders/v1/events_pb2{suffix}").read_text()


def test_every_setting_is_documented():
    settings = (ROOT / "runtime/settings.py").read_text()
    fields = re.findall(r"^    (\w+): (?:str|int|float|bool|SecretStr)", settings, re.MULTILINE)
    documented = (ROOT / "docs/configuration.md").read_text()
    missing = [f"ORDERLOG_{field.upper()}" for field in fields]

    assert len(missing) > 20
    assert [variable for variable in missing if f"`{variable}`" not in documented] == []
