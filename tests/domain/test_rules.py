import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


KEBAB = re.compile(r"[a-z]+\d*(-[a-z]+\d*)+")


def rules():
    """Every rule's name: what is written in kebab-case in the domain is one."""
    return {
        node.value
        for path in (ROOT / "domain").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and KEBAB.fullmatch(node.value)
    }


def test_every_rule_has_its_sentences_on_the_page(sentences):
    assert set(sentences) == rules()


def test_every_rule_is_documented_and_tested():
    documented = (ROOT / "docs/orders.md").read_text()
    tested = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))

    assert len(rules()) > 70
    assert {rule for rule in rules() if f"`{rule}`" not in documented} == set()
    assert {rule for rule in rules() if f'"{rule}"' not in tested} == set()
