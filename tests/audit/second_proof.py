"""Verifies proofs of one event; written from docs/audit-format.md alone."""

from .second_verifier import ROOT, described, document, dumped, event_type, leaf, sha256


def climbed(value, index, size, path):
    if size == 1:
        assert not path, "the path is too long"
        assert index == 0, "there are not so many events"
        return value
    left = 1 << (size - 1).bit_length() - 1
    if index < left:
        return sha256(b"\1", climbed(value, index, left, path[:-1]), path[-1])
    return sha256(b"\1", path[-1], climbed(value, index - left, size - left, path[:-1]))


def verify_proof(path, descriptors, pem=None):
    fields = "tool log events root_hash index path event"
    said = document(path, "orderlog-proof/1", fields, ROOT, pem, is_own=False)
    line = described(event_type(descriptors), said["event"])
    assert dumped(line) == dumped(said["event"]), "the stored bytes say something else"
    path = [bytes.fromhex(one) for one in said["path"]]
    found = climbed(leaf(line), said["index"], said["events"], path)
    assert found.hex() == said["root_hash"], "the path does not lead to the root"
