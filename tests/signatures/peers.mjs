// Judges signatures of ours with @aws-sdk/cloudfront-signer and Node's crypto, and makes signatures of its own.
// What goes in and comes out is the same as in peers.py.

import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";

import { getSignedCookies, getSignedUrl } from "@aws-sdk/cloudfront-signer";

const PARAMETERS = ["Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"];

const ask = JSON.parse(readFileSync(0, "utf8"));
const keys = Object.fromEntries(
  Object.entries(ask.keys).map(([id, files]) => [
    id,
    { privateKey: readFileSync(files.private, "utf8"), publicKey: createPublicKey(readFileSync(files.public)) },
  ]),
);

const decode = (text) =>
  Buffer.from(text.replace(/[-_~]/g, (c) => ({ "-": "+", _: "=", "~": "/" })[c]), "base64");
const iso = (seconds) => new Date(seconds * 1000).toISOString();

function takeApart(ours) {
  const [path, query = ""] = ours.url.split("?");
  const pairs = query.split("&").map((pair) => pair.split("="));
  const own = pairs.filter(([name]) => name && !PARAMETERS.includes(name)).map((pair) => pair.join("="));
  let found = pairs.filter(([name]) => PARAMETERS.includes(name));
  if (found.length === 0) {
    found = ours.cookies.split("; ").map((cookie) => cookie.replace("CloudFront-", "").split("="));
  }
  return [own.length ? `${path}?${own.join("&")}` : path, Object.fromEntries(found)];
}

function judge(ours) {
  const [url, found] = takeApart(ours);
  const keyPairId = found["Key-Pair-Id"];
  const algorithm = found["Hash-Algorithm"];
  const { privateKey, publicKey } = keys[keyPairId];
  const { expires, resource } = ours.terms;
  const policy = found.Policy
    ? decode(found.Policy).toString()
    : `{"Statement":[{"Resource":"${resource}","Condition":{"DateLessThan":{"AWS:EpochTime":${expires}}}}]}`;
  assert.ok(verify(algorithm, Buffer.from(policy), publicKey, decode(found.Signature)), ours.name);

  // The SDK on the same policy: the same parameters, and with RSA the very same signature.
  const how = found.Policy ? { policy } : { dateLessThan: iso(expires) };
  const theirs = ours.cookies
    ? Object.fromEntries(
        Object.entries(getSignedCookies({ ...(found.Policy ? { policy } : { url, ...how }), keyPairId, privateKey, algorithm })).map(([name, value]) => [
          name.replace("CloudFront-", ""),
          String(value),
        ]),
      )
    : takeApart({ url: getSignedUrl({ url, keyPairId, privateKey, algorithm, ...how }), cookies: "" })[1];
  if (publicKey.asymmetricKeyType !== "rsa") {
    delete theirs.Signature;
    delete found.Signature;
  }
  assert.deepEqual(theirs, found, ours.name);
}

function* make(now) {
  const base = "https://d111111abcdef8.cloudfront.net/output/film";
  const url = `${base}/hls/video_00001.ts`;
  const later = now + 3600;
  for (const [keyPairId, { privateKey }] of Object.entries(keys)) {
    for (const algorithm of ["SHA1", "SHA256"]) {
      const key = { keyPairId, privateKey, algorithm };
      const condition = { DateLessThan: { "AWS:EpochTime": later }, IpAddress: { "AWS:SourceIp": "192.0.2.0/24" } };
      const policy = JSON.stringify({ Statement: [{ Resource: `${base}/*`, Condition: condition }] });
      const cookies = (how) => Object.entries(getSignedCookies({ ...how, ...key })).map((pair) => pair.join("=")).join("; ");
      const what = `node ${keyPairId} ${algorithm}`;
      yield { name: `${what} custom`, url: getSignedUrl({ url, policy, ...key }), cookies: "" };
      yield { name: `${what} canned`, url: getSignedUrl({ url, dateLessThan: iso(later), ...key }), cookies: "" };
      yield { name: `${what} custom cookies`, url, cookies: cookies({ policy }) };
      yield { name: `${what} canned cookies`, url, cookies: cookies({ url, dateLessThan: iso(later) }) };
    }
  }
}

ask.ours.forEach(judge);
process.stdout.write(JSON.stringify({ checks: ask.ours.length, made: [...make(ask.now)] }));
