"""Writes vectors.json: signed requests made by openssl, botocore and @aws-sdk/cloudfront-signer.

The verifier under test must accept and refuse exactly these, so that our signer and our verifier cannot share a
mistake. Run in this folder, with botocore, cryptography, openssl and node (and `npm i @aws-sdk/cloudfront-signer` in the folder
that NODE_PATH names) at hand:  python3 make_vectors.py
"""

import base64
import datetime
import json
import subprocess

from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

NOW = 1767225600
LATER = NOW + 3600
KEYS = {"K2P256": "p256.pkcs8.pem", "K2RSA": "rsa2048.pkcs8.pem"}
BASE = "https://d111111abcdef8.cloudfront.net"
SEGMENT = BASE + "/output/a/default/hls/video_00001.ts"
FOLDER = BASE + "/output/a/*"


def b64(data):
    return base64.b64encode(data).decode().translate(str.maketrans("+=/", "-_~"))


def openssl(key_id, digest, message, *options):
    command = ["openssl", "dgst", "-" + digest, "-sign", KEYS[key_id], *options]
    return subprocess.run(command, input=message, stdout=subprocess.PIPE, check=True).stdout


def custom(resource=FOLDER, expires=LATER, after=None, ip=None):
    condition = {"DateLessThan": {"AWS:EpochTime": expires}}
    if ip:
        condition["IpAddress"] = {"AWS:SourceIp": ip}
    if after:
        condition["DateGreaterThan"] = {"AWS:EpochTime": after}
    statement = {"Resource": resource, "Condition": condition}
    return json.dumps({"Statement": [statement]}, separators=(",", ":"))


def parameters(key_id, digest, policy, expires=None):
    """Query parameters of a policy; canned when `expires` is given."""
    found = {"Expires": str(expires)} if expires else {"Policy": b64(policy.encode())}
    found["Signature"] = b64(openssl(key_id, digest, policy.encode()))
    found["Key-Pair-Id"] = key_id
    if digest == "sha256":
        found["Hash-Algorithm"] = "SHA256"
    return found


def join(url, found):
    return url + ("&" if "?" in url else "?") + "&".join(f"{k}={v}" for k, v in found.items())


def cookies(found):
    return "; ".join(f"CloudFront-{k}={v}" for k, v in found.items())


def canned(url, expires):
    return f'{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}'


CASES = []


def case(name, url, answer="ok", cookie="", now=NOW, address="192.0.2.9"):
    CASES.append(dict(name=name, url=url, cookies=cookie, now=now, address=address, answer=answer))


def by_openssl():
    for key_id in KEYS:
        for digest in ("sha1", "sha256"):
            what = f"openssl {key_id} {digest}"
            good = parameters(key_id, digest, custom())
            case(f"{what} custom", join(SEGMENT, good))
            case(f"{what} custom, own query", join(SEGMENT + "?size=1&x=%2F", good))
            case(f"{what} custom, cookies", SEGMENT, cookie="theme=dark; " + cookies(good))
            case(f"{what} other folder", join(BASE + "/output/b/x.ts", good), "AccessDenied")
            case(f"{what} other host", join(SEGMENT.replace("d111111", "d222222"), good), "AccessDenied")
            case(f"{what} expired", join(SEGMENT, good), "AccessDenied", now=LATER)
            case(f"{what} last second", join(SEGMENT, good), now=LATER - 1)
            one = canned(SEGMENT, LATER)
            case(f"{what} canned", join(SEGMENT, parameters(key_id, digest, one, LATER)))
            case(f"{what} canned, cookies", SEGMENT, cookie=cookies(parameters(key_id, digest, one, LATER)))
            case(f"{what} canned, parameter added",
                 join(SEGMENT + "?x=1", parameters(key_id, digest, one, LATER)), "AccessDenied")
            case(f"{what} canned, expires changed",
                 join(SEGMENT, {**parameters(key_id, digest, one, LATER), "Expires": str(LATER + 1)}), "AccessDenied")
            own = canned(SEGMENT + "?size=1", LATER)
            case(f"{what} canned, own query", join(SEGMENT + "?size=1", parameters(key_id, digest, own, LATER)))
            wild = canned(FOLDER, LATER)
            case(f"{what} canned over a wildcard",
                 join(SEGMENT, parameters(key_id, digest, wild, LATER)), "AccessDenied")
            changed = {**good, "Policy": b64(custom(expires=LATER + 1).encode())}
            case(f"{what} policy changed", join(SEGMENT, changed), "AccessDenied")


def conditions():
    def signed(policy):
        return parameters("K2P256", "sha256", policy)

    later = signed(custom(after=NOW + 10))
    case("not before: too early", join(SEGMENT, later), "AccessDenied", now=NOW + 9)
    case("not before: first second", join(SEGMENT, later), now=NOW + 10)
    network = signed(custom(ip="192.0.2.0/24"))
    case("address inside", join(SEGMENT, network))
    case("address outside", join(SEGMENT, network), "AccessDenied", address="198.51.100.1")
    case("address ipv6", join(SEGMENT, network), "AccessDenied", address="2001:db8::1")
    case("address one", join(SEGMENT, signed(custom(ip="192.0.2.9"))))
    case("no resource", join(SEGMENT, signed(custom().replace(f'"Resource":"{FOLDER}",', ""))))
    case("white space kept", join(SEGMENT, signed(custom().replace(",", ", "))))
    case("milliseconds", join(SEGMENT, signed(custom(expires=LATER * 1000))), "MalformedPolicy")
    case("unknown condition", join(SEGMENT, signed(custom().replace("DateLess", "DateFewer"))), "MalformedPolicy")
    case("latest second", join(SEGMENT, signed(custom(expires=2147483647))))
    case("one second later", join(SEGMENT, signed(custom(expires=2147483648))), "MalformedPolicy")
    case("quoted time", join(SEGMENT, signed(custom(expires=str(LATER)))), "MalformedPolicy")
    other_order = (f'{{"Statement":[{{"Condition":{{"DateGreaterThan":{{"AWS:EpochTime":{NOW}}},'
                   f'"IpAddress":{{"AWS:SourceIp":"192.0.2.0/24"}},"DateLessThan":{{"AWS:EpochTime":{LATER}}}}},'
                   f'"Resource":"{FOLDER}"}}]}}')
    case("another order", join(SEGMENT, signed(other_order)))
    case("one statement and no list", join(SEGMENT, signed(custom().replace("[", "").replace("]", ""))))
    two = custom().replace("]}", "," + custom()[len('{"Statement":['):])
    case("two statements", join(SEGMENT, signed(two)), "MalformedPolicy")


def faults():
    good = parameters("K2P256", "sha256", custom())

    def without(*names):
        return {k: v for k, v in good.items() if k not in names}

    case("nothing", SEGMENT, "MissingKey")
    case("no key", join(SEGMENT, without("Key-Pair-Id")), "MissingKey")
    case("no signature", join(SEGMENT, without("Signature")), "MissingSignature")
    case("no policy", join(SEGMENT, without("Policy")), "MissingPolicy")
    case("empty signature", join(SEGMENT, {**good, "Signature": ""}), "MissingSignature")
    for name, value in {**good, "Expires": str(LATER)}.items():
        answer = "MissingSignature" if name == "Key-Pair-Id" else "MissingKey"
        case(f"{name} alone beats good cookies", join(SEGMENT, {name: value}), answer, cookies(good))
    case("own query keeps cookies", SEGMENT + "?policy=x", cookie=cookies(good))
    case("unknown key", join(SEGMENT, {**good, "Key-Pair-Id": "K2OTHER"}), "InvalidKey")
    case("other key", join(SEGMENT, {**good, "Key-Pair-Id": "K2RSA"}), "AccessDenied")
    case("signature not base64", join(SEGMENT, {**good, "Signature": good["Signature"] + "!"}), "MalformedSignature")
    case("policy not base64", join(SEGMENT, {**good, "Policy": "%%%"}), "MalformedPolicy")
    case("policy not json", join(SEGMENT, {**good, "Policy": b64(b"hello")}), "MalformedPolicy")
    case("expires not a number", join(SEGMENT, {**without("Policy"), "Expires": "soon"}), "MalformedPolicy")
    case("expires in milliseconds", join(SEGMENT, {**without("Policy"), "Expires": str(LATER * 1000)}),
         "MalformedPolicy")
    case("hash not named", join(SEGMENT, without("Hash-Algorithm")), "AccessDenied")
    case("hash in lower case", join(SEGMENT, {**good, "Hash-Algorithm": "sha256"}))
    case("hash unknown", join(SEGMENT, {**good, "Hash-Algorithm": "SHA512"}), "AccessDenied")
    policy = custom().encode()
    pss = openssl("K2RSA", "sha256", policy, "-sigopt", "rsa_padding_mode:pss")
    case("rsa-pss", join(SEGMENT, {**good, "Key-Pair-Id": "K2RSA", "Signature": b64(pss)}), "AccessDenied")
    r, s = decode_dss_signature(openssl("K2P256", "sha256", policy))
    raw = b"".join(number.to_bytes(32, "big") for number in (r, s))
    case("ecdsa without asn.1", join(SEGMENT, {**good, "Signature": b64(raw)}), "AccessDenied")
    padded = base64.b64encode(base64.b64decode(good["Signature"].translate(str.maketrans("-_~", "+=/")))).decode()
    while not set(padded) & set("+/="):
        padded = base64.b64encode(openssl("K2P256", "sha256", policy)).decode()
    case("signature in ordinary base64", join(SEGMENT, {**good, "Signature": padded.replace("+", "%2B")}),
         "MalformedSignature")
    escaped = {k: v.replace("~", "%7E").replace("_", "%5F") for k, v in good.items()}
    case("escaped values", join(SEGMENT, escaped))
    case("cookie names are exact", SEGMENT, "MissingKey", cookies(good).replace("CloudFront-Key", "cloudfront-key"))


def by_botocore():
    for key_id in KEYS:
        signer = CloudFrontSigner(key_id, lambda message, key_id=key_id: openssl(key_id, "sha1", message))
        end = datetime.datetime.fromtimestamp(LATER, datetime.timezone.utc)
        begin = datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc)
        case(f"botocore {key_id} canned", signer.generate_presigned_url(SEGMENT, date_less_than=end))
        policy = signer.build_policy(FOLDER, end, date_greater_than=begin, ip_address="192.0.2.9")
        case(f"botocore {key_id} custom", signer.generate_presigned_url(SEGMENT, policy=policy))


def by_node():
    script = r"""
    const { getSignedUrl, getSignedCookies } = require("@aws-sdk/cloudfront-signer");
    const fs = require("fs"), out = [];
    const [segment, policy, later, keys] = JSON.parse(process.argv[1]);
    for (const [keyPairId, file] of Object.entries(keys)) for (const algorithm of ["SHA1", "SHA256"]) {
      const privateKey = fs.readFileSync(file, "utf8"), dateLessThan = later;
      const key = { keyPairId, privateKey, algorithm };
      const join = (c) => Object.entries(c).map(([k, v]) => `${k}=${v}`).join("; ");
      out.push([`node ${keyPairId} ${algorithm} canned`, getSignedUrl({ url: segment, dateLessThan, ...key }), ""]);
      out.push([`node ${keyPairId} ${algorithm} custom`, getSignedUrl({ url: segment, policy, ...key }), ""]);
      out.push([`node ${keyPairId} ${algorithm} cookies`, segment, join(getSignedCookies({ policy, ...key }))]);
      const one = getSignedCookies({ url: segment, dateLessThan, ...key });
      out.push([`node ${keyPairId} ${algorithm} canned, cookies`, segment, join(one)]);
    }
    console.log(JSON.stringify(out));
    """
    end = datetime.datetime.fromtimestamp(LATER, datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    argument = json.dumps([SEGMENT, custom(), end, KEYS])
    made = subprocess.run(["node", "-e", script, argument], stdout=subprocess.PIPE, check=True).stdout
    for name, url, cookie in json.loads(made):
        case(name, url, cookie=cookie)


by_openssl()
conditions()
faults()
by_botocore()
by_node()
# RSA signatures are deterministic: what openssl makes of these policies is what our signer must make, byte by byte.
RSA = [[policy, b64(policy.encode()), b64(openssl("K2RSA", "sha256", policy.encode()))]
       for policy in (custom(), custom(ip="192.0.2.0/24", after=NOW), canned(SEGMENT, LATER))]
with open("vectors.json", "w") as file:
    json.dump({"cases": CASES, "rsa_sha256": RSA}, file, indent=1)
    file.write("\n")
print(len(CASES), "cases")
