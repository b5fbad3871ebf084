"""G14: whatever is done to an export, a head or a proof is found; what is untouched gives no alarm.

ORDERLOG_TEST_AUDIT_MUTATIONS=10000 makes so many mutations, ORDERLOG_TEST_AUDIT_SEED others. A
mutation is made again from the seed and the number that a failure names.
"""

import asyncio
import os
import random
import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from audit.evidence.heads import Head, read_head
from audit.evidence.proofs import Proof, prove, verify_proof
from audit.evidence.signing import (
    Stamped,
    canonical,
    make_key,
    private_key,
    public_hex,
    public_key,
)
from audit.export import Request, export
from audit.manifest import Encoding, Manifest, root_statement
from audit.verify import Trusted, verify
from eventlog.memory import MemoryLog

from . import attacks, second_proof, second_verifier
from .conftest import Writer
from .forging import Opened

MUTATIONS = int(os.environ.get("ORDERLOG_TEST_AUDIT_MUTATIONS", "400"))
SEED = os.environ.get("ORDERLOG_TEST_AUDIT_SEED", "7")
ENCODINGS = {
    "jsonl": Encoding(format="jsonl"),
    "jsonl.zst": Encoding(format="jsonl", compression="zstd"),
    "csv": Encoding(format="csv"),
    "csv.zst": Encoding(format="csv", compression="zstd"),
    "parquet": Encoding(format="parquet"),
}
"""By their names, so that half of all mutations are of what the second verifier reads."""


@dataclass(frozen=True)
class Given:
    """Exports of one log in all formats, a head and a proof of it, and keys, one an attacker's."""

    folder: Path

    @property
    def head(self) -> Path:
        return self.folder / "head.json"

    @property
    def proof(self) -> Path:
        return self.folder / "proof.json"

    @property
    def pem(self) -> Path:
        return self.folder / "audit.pub"

    def mine(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Given:
    return asyncio.run(made(tmp_path_factory.mktemp("mutations")))


async def made(folder: Path) -> Given:
    (folder / "audit.pub").write_text(make_key(folder / "audit.key"))
    make_key(folder / "attacker.key")
    key = private_key(folder / "audit.key")
    log = MemoryLog(partitions=3)
    orders = await Writer().write(log, 12)
    for name, encoding in ENCODINGS.items():
        request = Request(encoding=encoding, file_events_max=8)
        await export(log, folder / name, request, key=key)
    (folder / "head.json").write_bytes((await read_head(log)).stamped(key).dump())
    proof = prove(folder / "jsonl", orders[4], 3)
    (folder / "proof.json").write_bytes(proof.dump())
    return Given(folder)


@dataclass(frozen=True)
class Case:
    """One mutated thing, and what the verifiers are given besides."""

    what: str
    export: Path | None = None
    head: Path | None = None
    pem: Path | None = None
    proof: Path | None = None

    def is_found(self) -> bool:
        trusted = Trusted(self.head, None if self.pem is None else public_key(self.pem))
        if self.proof is not None:
            return bool(verify_proof(self.proof, trusted)[1])
        assert self.export is not None
        verdict = verify(self.export, trusted)
        assert not any(finding.kind == "not-comparable" for finding in verdict.findings)
        return not verdict.is_valid

    def is_found_by_the_second(self, descriptors: Path) -> bool:
        try:
            if self.proof is not None:
                second_proof.verify_proof(self.proof, descriptors, self.pem)
            else:
                second_verifier.verify(self.export, self.head, self.pem)
        except Exception:  # noqa: BLE001 - whatever it stumbles over, it has not said `valid`
            return True
        return False


def on_rows(chance: random.Random, given: Given, name: str, path: Path) -> Case:
    """Rows are changed, and nothing, files, chains or also the signature are made right."""
    attack = chance.choice(attacks.ON_ROWS)
    opened, before = Opened(path), Opened(path).files
    attack(chance, opened)
    level = chance.choice(["rows", "files", "chains", "signed"])
    what = f"{attack.__name__} of {name}, {level} made right"
    if level == "rows":
        opened.save()
        return Case(what, path)
    key = private_key(given.mine("attacker.key")) if level == "signed" else None
    try:
        opened.stamp(heads=level != "files", key=key)
    except (ValueError, OverflowError):
        opened.save()  # The change itself made it too odd to be made right.
        return Case(what, path)
    if level == "files":
        return Case(what, path)
    if opened.files == before:  # Only `head` was changed, and is right again.
        return Case(what, path, None, given.pem)
    if attack in attacks.CAUGHT_BY_ORDERS and chance.random() < 0.5:
        return Case(what, path)
    trust = chance.choice(["head", "key", "both"])
    head, pem = given.head if trust != "key" else None, given.pem if trust != "head" else None
    return Case(f"{what}, held against {trust}", path, head, pem)


def on_files(chance: random.Random, given: Given, name: str, path: Path) -> Case:
    """Bytes are changed, or whole files."""
    attack = chance.choice(attacks.ON_FILES)
    attack(chance, path)
    return Case(f"{attack.__name__} of {name}", path)


def on_manifest(chance: random.Random, given: Given, name: str, path: Path) -> Case:
    what = changed(chance, given, path / "manifest.json", Manifest)
    return Case(f"manifest of {name}, {what}", path, None, given.pem)


def on_head(chance: random.Random, given: Given, name: str, path: Path) -> Case:
    head = path.with_suffix(".head")
    shutil.copy(given.head, head)
    what = changed(chance, given, head, Head)
    return Case(f"head, {what}", path, head, given.pem)


def on_proof(chance: random.Random, given: Given, name: str, path: Path) -> Case:
    proof = path.with_suffix(".proof")
    shutil.copy(given.proof, proof)
    what = changed(chance, given, proof, Proof)
    return Case(f"proof, {what}", path, None, given.pem, proof)


def changed(chance: random.Random, given: Given, file: Path, kind: type) -> str:
    """Change a document: its bytes, what it says, or who signed it; say which."""
    way = chance.choice(["bytes", "edit", "stamped", "signed", "unsigned"])
    raw = bytearray(file.read_bytes())
    if way == "bytes":
        raw[chance.randrange(len(raw))] ^= chance.randint(1, 255)
        file.write_bytes(raw)
        return way
    if way in {"edit", "stamped"} or (way == "signed" and chance.random() < 0.5):
        attacks.edit_json(chance, file)
    if way != "edit":
        said = orjson.loads(file.read_bytes())
        said["stamp"] = {**said["stamp"], "public_key": None, "signature": None}
        try:
            document = kind.model_validate_json(orjson.dumps(said))
        except ValueError:
            return f"{way}, too odd"
        file.write_bytes(stamped(document, private_key(given.mine("attacker.key")), way).dump())
    return way


def stamped(document: Any, key: Any, way: str) -> Any:
    """Make the stamp right, as far as an attacker can."""
    signer = key if way == "signed" else None
    if isinstance(document, Stamped):
        return document.stamped(signer)
    if signer is None:
        return document
    signature = signer.sign(canonical(root_statement(document))).hex()
    stamp = {"public_key": public_hex(signer.public_key()), "signature": signature}
    return document.model_copy(update={"stamp": document.stamp.model_copy(update=stamp)})


ON = (on_rows, on_rows, on_rows, on_files, on_files, on_manifest, on_head, on_proof)


def mutated(seed: str, given: Given, folder: Path) -> tuple[Case, str]:
    """Return the case of a seed, and the name of the export it is of."""
    chance = random.Random(seed)
    name = chance.choice(["jsonl", chance.choice(list(ENCODINGS))])
    path = Path(shutil.copytree(given.mine(name), folder / "export"))
    return chance.choice(ON)(chance, given, name, path), name


def test_whatever_is_done_is_found_by_both(given: Given, tmp_path: Path):
    sys.stdout.write(f"ORDERLOG_TEST_AUDIT_SEED={SEED}, {MUTATIONS} mutations\n")
    missed, agreed = [], Counter()
    for number in range(MUTATIONS):
        folder = tmp_path / str(number)
        case, name = mutated(f"{SEED}-{number}", given, folder)
        if not case.is_found():
            missed.append(f"{number}: {case.what}")
        if name == "jsonl":
            agreed["second"] += 1
            if not case.is_found_by_the_second(given.mine("jsonl") / "events.binpb"):
                missed.append(f"{number}, by the second verifier: {case.what}")
        shutil.rmtree(folder)

    assert missed == [], f"with seed {SEED}"
    assert agreed["second"] > MUTATIONS / 3


@pytest.mark.parametrize("name", ENCODINGS)
def test_what_is_untouched_gives_no_alarm(given: Given, name: str):
    for head in (None, given.head, given.mine(name) / "manifest.json"):
        for pem in (None, given.pem):
            case = Case("untouched", given.mine(name), head, pem)

            assert verify(case.export, Trusted(head, pem and public_key(pem))).findings == ()
            if name == "jsonl":
                second_verifier.verify(case.export, head, pem)


def test_an_untouched_proof_gives_no_alarm(given: Given):
    for pem in (None, given.pem):
        assert verify_proof(given.proof, Trusted(None, pem and public_key(pem)))[1] == []
        second_proof.verify_proof(given.proof, given.mine("jsonl") / "events.binpb", pem)


@pytest.mark.parametrize("name", ENCODINGS)
def test_an_export_taken_apart_and_put_together_is_the_same_to_the_byte(
    given: Given, name: str, tmp_path: Path
):
    """What writes the mutated exports writes as the export does: CSV by another library, too."""
    path = Path(shutil.copytree(given.mine(name), tmp_path / "copy"))
    opened = Opened(path)
    opened.save()
    opened.stamp(heads=True, key=private_key(given.mine("audit.key")))

    assert {file.name: file.read_bytes() for file in path.iterdir()} == {
        file.name: file.read_bytes() for file in given.mine(name).iterdir()
    }
