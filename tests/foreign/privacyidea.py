"""privacyIDEA's module for seed files (release 3.6), run as it is: what it imports for its database and web server is
replaced by nothing, and the helpers that it calls for encodings by the same in one line each."""

import base64
import binascii
import pathlib
import sys
import types

HERE = pathlib.Path(sys.prefix)


def importotp(get_token_class=None, encrypt=None, decrypt=None, random=None, pbkdf2=None):
    """The module, with what a caller needs of the rest."""

    def module(name, **content):
        made = types.ModuleType(name)
        made.__dict__.update(content)
        sys.modules[name] = made

    module("privacyidea")
    module("privacyidea.lib")
    module("privacyidea.lib.error", TokenImportException=Exception, ImportException=Exception)
    module("privacyidea.lib.config", get_token_class=get_token_class)
    module("privacyidea.lib.log", log_with=lambda *_, **__: lambda function: function)
    module("privacyidea.lib.crypto", aes_encrypt_b64=encrypt, aes_decrypt_b64=decrypt, geturandom=random)
    module(
        "privacyidea.lib.utils",
        modhex_decode=None,
        modhex_encode=None,
        to_utf8=lambda text: text.encode(),
        to_bytes=lambda text: text.encode(),
        to_unicode=lambda data: data.decode() if isinstance(data, bytes) else data,
        hexlify_and_unicode=lambda data: binascii.hexlify(data).decode(),
        b64encode_and_unicode=lambda data: base64.b64encode(data).decode(),
    )
    module("passlib")
    module("passlib.crypto")
    module("passlib.crypto.digest", pbkdf2_hmac=pbkdf2)
    module("gnupg")
    source = (HERE / "privacyidea-importotp.py").read_text()
    made = types.ModuleType("importotp")
    exec(compile(source, "importotp.py", "exec"), made.__dict__)
    return made
