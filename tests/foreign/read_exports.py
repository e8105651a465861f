"""Reads what kiln wrote by software that others wrote, and prints what it holds as JSON on standard output.

    read_exports.py DIRECTORY

DIRECTORY holds the files and `files.json`, a list of {"file", "as", "key"?, "password"?}. python-pskc and Python's csv are
used as they are installed. Of privacyIDEA (release 3.6) the module that imports PSKC and CSV is run as it is, with the
functions of its token classes that read a line; what they import for its database and web server is replaced by nothing.
"""

import ast
import base64
import csv
import hashlib
import json
import pathlib
import sys
import types

import pskc
from privacyidea import importotp

HERE = pathlib.Path(sys.prefix)
DIR = pathlib.Path(sys.argv[1])


def container(path, key=None, password=None):
    file = pskc.PSKC(str(path))
    if key:
        file.encryption.key = bytes.fromhex(key)
    if password:
        file.encryption.derive_key(password)
    for one in file.keys:
        assert one.check(), "the MAC holds"
        suite = (one.algorithm_suite or "HMAC-SHA1").upper().replace("HMAC-", "")
        yield {
            "serial": one.serial,
            "seed": one.secret.hex(),
            "hash": suite,
            "digits": one.response_length,
            "period": one.time_interval,
            "counter": one.counter,
            "user": one.key_userid,
        }


def privacyidea():
    """The importer, with what it needs of the token classes."""

    def decrypted(key, data):
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        sealed = base64.b64decode(data)
        cipher = Cipher(algorithms.AES(key), modes.CBC(sealed[:16])).decryptor()
        plain = cipher.update(sealed[16:]) + cipher.finalize()
        return plain[: -plain[-1]]

    def method(file, name, **known):
        """A static method of a class in a file, on its own."""
        tree = ast.parse((HERE / file).read_text())
        found = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == name]
        found[0].decorator_list = []
        scope = dict(known)
        exec(compile(ast.Module(body=found[:1], type_ignores=[]), file, "exec"), scope)
        return scope[name]

    base = types.SimpleNamespace(get_import_csv=method("privacyidea-tokenclass.py", "get_import_csv"))
    classes = {}
    for kind in ("hotp", "totp"):
        read = method(f"privacyidea-{kind}token.py", "get_import_csv", TokenClass=base)
        classes[kind] = types.SimpleNamespace(get_import_csv=read)

    def pbkdf2_hmac(name, secret, salt, rounds, keylen):
        return hashlib.pbkdf2_hmac(name, secret, salt, rounds, keylen)

    return importotp(get_token_class=classes.get, decrypt=decrypted, pbkdf2=pbkdf2_hmac)


def imported(tokens):
    for serial, token in tokens.items():
        kind = token["type"].lower()
        yield {
            "serial": serial,
            "seed": token["otpkey"].lower(),
            "hash": token.get("hashlib", "sha1").upper(),
            "digits": int(token["otplen"]),
            "period": int(token.get("timeStep") or 30) if kind == "totp" else None,
            "counter": int(token.get("counter") or 0) if kind == "hotp" else None,
        }


def privacyidea_pskc(path, key=None, password=None):
    tokens, refused = privacyidea().parsePSKCdata(
        path.read_text(), preshared_key_hex=key, password=password, validate_mac="check_fail_hard"
    )
    assert not refused, refused
    return imported(tokens)


def privacyidea_csv(path):
    return imported(privacyidea().parseOATHcsv(path.read_text()))


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            secret = row.get("secret key") or row.get("sharedSecret")
            seed = base64.b32decode(secret + "=" * (-len(secret) % 8))
            yield {
                "serial": row.get("serial number") or row.get("serial"),
                "seed": seed.hex(),
                "hash": row.get("algorithm", "SHA1"),
                "digits": int(row.get("digits", 6)),
                "period": int(row.get("time interval") or row.get("timeStep")),
                "counter": None,
                "user": row.get("upn") or row.get("login"),
            }


READERS = {
    "pskc": container,
    "privacyidea-pskc": privacyidea_pskc,
    "privacyidea-csv": privacyidea_csv,
    "csv": table,
}

said = {}
for file in json.loads((DIR / "files.json").read_text()):
    secret = {name: file[name] for name in ("key", "password") if name in file}
    said[file["file"] + " by " + file["as"]] = list(READERS[file["as"]](DIR / file["file"], **secret))
json.dump(said, sys.stdout)
