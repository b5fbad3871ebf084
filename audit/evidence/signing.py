"""Documents that carry their own hash, and an Ed25519 signature when there is a key."""

import os
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, ValidationError

from audit.strict import Sha256, Strict

DOCUMENT_BYTES_MAX = 64 * 1024 * 1024
_KEY_BYTES_MAX = 64 * 1024
_PRIVATE = 0o600

PublicKeyHex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
SignatureHex = Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]

Document = TypeVar("Document", bound="Sheet")


class KeyRefused(Exception):  # noqa: N818 - an answer to the caller, who names another file
    """The file holds no key that can be used; the message says why and what to do."""


class DocumentError(Exception):
    """A document is missing, was not written by orderlog, or was changed."""


class Stamp(Strict):
    """The hash of everything else in the document, and who stands for it; None: nobody."""

    content_sha256: Sha256 = "0" * 64
    public_key: PublicKeyHex | None = None
    signature: SignatureHex | None = None


class Sheet(Strict):
    """A document whose last part is a stamp: its own, or that of what it is taken from."""

    stamp: Stamp = Stamp()

    def dump(self) -> bytes:
        """Return the bytes of the file."""
        fields = self.model_dump()
        fields["stamp"] = fields.pop("stamp")
        return orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


class Stamped(Sheet):
    """A document with a stamp of its own."""

    def statement(self) -> dict[str, Any]:
        """Return what is signed; it names what it is of, and ends with the stamp's hash."""
        raise NotImplementedError

    def stamped(self, key: Ed25519PrivateKey | None = None) -> Self:
        """Return the document with its stamp, signed if there is a key."""
        stamp = Stamp(content_sha256=self._hash())
        document = self.model_copy(update={"stamp": stamp})
        if key is None:
            return document
        signed = {
            "public_key": public_hex(key.public_key()),
            "signature": key.sign(canonical(document.statement())).hex(),
        }
        return document.model_copy(update={"stamp": stamp.model_copy(update=signed)})

    def is_changed(self) -> bool:
        """Tell whether it was changed after it was stamped."""
        return self.stamp.content_sha256 != self._hash()

    def _hash(self) -> str:
        return sha256(canonical(self.model_dump(exclude={"stamp"}))).hexdigest()


def canonical(fields: Any) -> bytes:
    """Return JSON with sorted keys and no blanks: what is hashed and signed."""
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def bad_signature(stamp: Stamp, statement: dict[str, Any], trusted: str | None) -> str | None:
    """Say what is wrong with a signature; None: nothing.

    `trusted` is the public key that it must be of, in hexadecimal. Without it, the signature must
    fit the key that stands beside it, and no signature is as good.
    """
    if stamp.public_key is None or stamp.signature is None:
        if stamp.public_key is not None or stamp.signature is not None:
            return "only one of public key and signature is there"
        return None if trusted is None else "it is not signed"
    if trusted is not None and stamp.public_key != trusted:
        return f"it is signed with another key: {stamp.public_key}"
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(stamp.public_key))
        key.verify(bytes.fromhex(stamp.signature), canonical(statement))
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return "its signature does not fit: it was changed, or somebody else signed it"
    return None


def public_hex(key: Ed25519PublicKey) -> str:
    """Return the 32 bytes of a public key in hexadecimal."""
    return key.public_bytes_raw().hex()


def make_key(path: Path) -> str:
    """Write a new private key that only its owner may read; return the public one as PEM.

    Raises:
        KeyRefused: there is a file already, or none can be written.
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    except FileExistsError as error:
        raise KeyRefused(f"{path} is there already and is left as it is: name another") from error
    except OSError as error:
        raise KeyRefused(f"{path} cannot be written: {error.strerror}") from error
    with os.fdopen(file, "wb") as opened:
        opened.write(pem)
        opened.flush()
        os.fsync(opened.fileno())
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def private_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key as `make_key` writes it.

    Raises:
        KeyRefused: there is none.
    """
    try:
        key = serialization.load_pem_private_key(_read(path, _KEY_BYTES_MAX), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm, DocumentError) as error:
        raise KeyRefused(
            f"{path} holds no private key without a password (PEM, PKCS 8): {error}"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyRefused(f"{path} holds no Ed25519 key: make one with `orderlog audit keygen`")
    return key


def public_key(path: Path) -> str:
    """Read a public key (PEM) and return it in hexadecimal.

    Raises:
        KeyRefused: there is none.
    """
    try:
        key = serialization.load_pem_public_key(_read(path, _KEY_BYTES_MAX))
    except (ValueError, TypeError, UnsupportedAlgorithm, DocumentError) as error:
        raise KeyRefused(f"{path} holds no public key (PEM): {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyRefused(f"{path} holds no Ed25519 key")
    return public_hex(key)


def read_document(path: Path, kind: type[Document]) -> Document:
    """Read a document that was written by `dump`.

    Raises:
        DocumentError: there is none, or it is not as it is written.
    """
    name, raw = path.name, _read(path, DOCUMENT_BYTES_MAX)
    try:
        orjson.loads(raw)
        document = kind.model_validate_json(raw)
    except orjson.JSONDecodeError as error:
        raise DocumentError(f"{name} is not JSON: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or name
        raise DocumentError(f"{name} is not as it is written: {where}: {first['msg']}") from error
    try:
        is_same = document.dump() == raw
    except orjson.JSONEncodeError as error:
        raise DocumentError(f"{name} is not as it is written: {error}") from error
    if not is_same:
        raise DocumentError(f"{name} is not as it is written: other bytes")
    return document


def _read(path: Path, bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(bytes_max + 1)
    except FileNotFoundError as error:
        raise DocumentError(f"there is no {path.name}") from error
    except OSError as error:
        raise DocumentError(f"{path.name} cannot be read: {error.strerror}") from error
    if len(raw) > bytes_max:
        raise DocumentError(f"{path.name} is larger than {bytes_max} bytes")
    return raw
