// One round of @aws-sdk/cloudfront-signer for signing.py: signed URLs and verifications per CPU second, as JSON.
// node signing.mjs <private.pem> <public.pem> <seconds per case> pem|parsed

import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../tests/signatures/package.json", import.meta.url));
const { getSignedUrl } = require("@aws-sdk/cloudfront-signer");

const [privatePem, publicPem, seconds, form] = process.argv.slice(2);
// The SDK's documentation hands over the PEM, which is read anew each time; it takes a parsed key as well.
const pem = readFileSync(privatePem, "utf8");
const privateKey = form === "parsed" ? createPrivateKey(pem) : pem;
const publicKey = createPublicKey(readFileSync(publicPem));
const folder = "https://d111111abcdef8.cloudfront.net/output/film-0123456789abcdef-01234567";
const url = `${folder}/default/hls/video_720_00001.ts`;
let expires = 1767225600;
const policy = () =>
  JSON.stringify({ Statement: [{ Resource: `${folder}/*`, Condition: { DateLessThan: { "AWS:EpochTime": ++expires } } }] });

function perCpuSecond(work) {
  const end = performance.now() + Number(seconds) * 1000;
  const begun = process.cpuUsage();
  let count = 0;
  for (; performance.now() < end; count++) if (!work()) throw new Error("the work under measurement fails");
  const { user, system } = process.cpuUsage(begun);
  return (count / (user + system)) * 1e6;
}

const message = Buffer.from(policy());
const signature = sign("sha256", message, privateKey);
const key = { keyPairId: "K2", privateKey, algorithm: "SHA256" };
const signed = perCpuSecond(() => getSignedUrl({ url, policy: policy(), ...key }));
const verified = perCpuSecond(() => verify("sha256", message, publicKey, signature));
console.log(JSON.stringify({ signed, verified }));
