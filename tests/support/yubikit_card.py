"""What Yubico's own library makes of a key on a reader. Run by tests/support/yubikit.rs.

Reads one request from standard input, writes one answer to standard output, both JSON. Secrets come and go by no other
way. The reader is used by its name; nothing is asked of any other applet than OATH.
"""

import json
import sys

from smartcard.System import readers
from ykman.pcsc import ScardSmartCardConnection
from yubikit.oath import HASH_ALGORITHM, OATH_TYPE, CredentialData, OathSession


def main():
    request = json.load(sys.stdin)
    reader = next(r for r in readers() if r.name == request["reader"])
    connection = ScardSmartCardConnection(reader.createConnection())
    try:
        session = OathSession(connection)
        if session.locked:
            session.validate(session.derive_key(request["password"]))
        elif "set_password" in request:
            session.set_key(session.derive_key(request["set_password"]))
        for entry in request.get("put", []):
            kind = OATH_TYPE[entry["type"]]
            data = CredentialData(
                name=entry["name"],
                oath_type=kind,
                hash_algorithm=HASH_ALGORITHM[entry["hash"]],
                secret=bytes.fromhex(entry["secret"]),
                digits=entry["digits"],
                period=entry.get("period", 30),
                counter=entry.get("counter", 0),
                issuer=entry.get("issuer"),
            )
            session.put_credential(data, entry.get("touch", False))
        at = request["at"]
        touch = request.get("touch", [])
        codes = []
        for credential, code in session.calculate_all(at).items():
            name = credential.id.decode()
            if name in touch or (credential.oath_type == OATH_TYPE.HOTP and request.get("count")):
                code = session.calculate_code(credential, at)
            codes.append(
                {
                    "id": name,
                    "type": credential.oath_type.name,
                    "issuer": credential.issuer,
                    "name": credential.name,
                    "period": credential.period,
                    "touch": bool(credential.touch_required),
                    "code": code.value if code else None,
                }
            )
        listed = [credential.id.decode() for credential in session.list_credentials()]
        json.dump({"has_password": session.has_key, "listed": listed, "codes": codes}, sys.stdout)
    finally:
        connection.close()


main()
