import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def rules():
    """The rule of every `Rejected("rule", …)` in the domain."""
    return {
        call.args[0].value
        for path in (ROOT / "domain").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Rejected"
    }


def test_every_rule_is_documented_and_tested():
    documented = (ROOT / "docs/orders.md").read_text()
    tested = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))

    assert len(rules()) > 30
    assert {rule for rule in rules() if f"`{rule}`" not in documented} == set()
    assert {rule for rule in rules() if f'"{rule}"' not in tested} == set()
