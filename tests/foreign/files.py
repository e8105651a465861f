"""Writes seed files by software that others wrote, with random seeds, and what is in them as JSON on standard output.

    files.py DIRECTORY

python-pskc and ykman are used as they are installed. Of privacyIDEA (release 3.6) the module that exports PSKC is run as
it is; what it imports for its database and web server is replaced by nothing, and the helpers it calls for encodings by
the same in one line each.
"""

import base64
import json
import os
import pathlib
import sys
import types

import pskc
import ykman.otp
from privacyidea import importotp

OUT = pathlib.Path(sys.argv[1])
HERE = pathlib.Path(sys.prefix)
URI = "urn:ietf:params:xml:ns:keyprov:pskc:"
FILES = []


def keys():
    """What the containers hold: each hash, both lengths, both periods, a counter."""
    plan = [
        ("totp", None, 6, 30, None, 20),
        ("totp", "HMAC-SHA256", 8, 60, None, 32),
        ("totp", "HMAC-SHA512", 8, 30, None, 64),
        ("hotp", None, 6, None, 0, 20),
        ("hotp", "HMAC-SHA256", 8, None, 123456789, 32),
    ]
    for number, (kind, suite, digits, period, counter, size) in enumerate(plan):
        yield {
            "serial": f"0865900000{number:04}",
            "seed": os.urandom(size).hex(),
            "kind": kind,
            "hash": (suite or "HMAC-SHA1").removeprefix("HMAC-"),
            "suite": suite,
            "digits": digits,
            "period": period,
            "counter": counter,
        }


def said(keys):
    return [{name: key[name] for name in ("serial", "seed", "hash", "digits", "period", "counter")} for key in keys]


def container(name, protect=None, **secret):
    document = pskc.PSKC()
    made = list(keys())
    for key in made:
        document.add_key(
            id=key["serial"],
            serial=key["serial"],
            manufacturer="oath.KT",
            model="test & token",
            issuer="Kiln",
            secret=bytes.fromhex(key["seed"]),
            algorithm=URI + key["kind"],
            algorithm_suite=key["suite"],
            response_encoding="DECIMAL",
            response_length=key["digits"],
            time_interval=key["period"],
            counter=key["counter"],
        )
    if protect:
        protect(document)
    document.write(str(OUT / name))
    FILES.append({"file": name, "format": "pskc", "tokens": said(made), **secret})


def preshared(algorithm, mac, length):
    key = os.urandom(length)

    def protect(document):
        document.encryption.setup_preshared_key(key=key, algorithm=algorithm)
        document.mac.setup(algorithm=mac)

    container(f"preshared-{algorithm}-{mac}.xml", protect, key=key.hex())


def password(prf, algorithm):
    def protect(document):
        document.encryption.setup_pbkdf2("correct horse", iterations=1000, prf=prf, algorithm=algorithm)

    container(f"password-{prf}-{algorithm}.xml", protect, passphrase="correct horse")


def privacyidea():
    def encrypted(key, data):
        from cryptography.hazmat.primitives import padding
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        padder = padding.PKCS7(128).padder()
        iv = os.urandom(16)
        cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
        sealed = cipher.update(padder.update(data) + padder.finalize()) + cipher.finalize()
        return base64.b64encode(iv + sealed).decode()

    exporter = importotp(encrypt=encrypted, random=os.urandom)

    class Key:
        def __init__(self, seed):
            self.seed = seed

        def getKey(self):
            return self.seed.encode()

    class Token:
        def __init__(self, key):
            self.type = key["kind"]
            self.info = {"hashlib": key["hash"].lower(), "timeStep": key["period"], "timeShift": 0}
            self.token = types.SimpleNamespace(
                description="Kiln Test",
                serial=key["serial"],
                otplen=key["digits"],
                count=key["counter"] or 0,
                get_otpkey=lambda: Key(key["seed"]),
            )

        def get_tokeninfo(self, name, default=None):
            return self.info.get(name, default)

    made = list(keys())
    secret, count, soup = exporter.export_pskc([Token(key) for key in made])
    assert count == len(made)
    # Each package is put right behind the head, so that the last token comes first.
    for name, text in [("privacyidea.xml", str(soup)), ("privacyidea-pretty.xml", soup.prettify())]:
        (OUT / name).write_text(text)
        FILES.append({"file": name, "format": "pskc", "tokens": said(reversed(made)), "key": secret})


def yubico():
    otp = ykman.otp.format_csv(508326, os.urandom(6), os.urandom(6), os.urandom(16))
    seed = os.urandom(20)
    # What ykman writes of an OATH key has no public id, and 0 in the place of the private one.
    oath = ykman.otp.format_csv(508327, b"", b"", seed).split(",")
    oath[2] = "0"
    (OUT / "ykman.csv").write_text(otp + "\n" + ",".join(oath) + "\n")
    token = {"serial": "508327", "seed": seed.hex(), "hash": "SHA1", "digits": 6, "period": None, "counter": 0}
    FILES.append({"file": "ykman.csv", "format": "yubico-csv", "tokens": [token]})


container("plain.xml")
for cipher, mac, length in [
    ("aes128-cbc", "hmac-sha1", 16),
    ("aes192-cbc", "hmac-sha256", 24),
    ("aes256-cbc", "hmac-sha512", 32),
]:
    preshared(cipher, mac, length)
for prf, cipher in [("hmac-sha1", "aes128-cbc"), ("hmac-sha256", "aes256-cbc"), ("hmac-sha512", "aes256-cbc")]:
    password(prf, cipher)
privacyidea()
yubico()
json.dump(FILES, sys.stdout)
