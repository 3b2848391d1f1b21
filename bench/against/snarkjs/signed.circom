pragma circom 2.1.6;

include "@zk-email/circuits/lib/sha.circom";
include "@zk-email/circuits/lib/rsa.circom";

// An RSA-2048 signature over a message of at most BYTES bytes, padding included: the published circuits of zk-email
// joined as its verifier joins them. No base64, JSON, identity or binding: a part of what a token's statement holds.
template Signed(BYTES) {
    signal input padded[BYTES];
    signal input length;
    signal input modulus[17];
    signal input signature[17];

    signal digest[256] <== Sha256Bytes(BYTES)(padded, length);
    component chunks[3];
    signal message[17];
    for (var i = 0; i < 3; i++) {
        chunks[i] = Bits2Num(121);
        for (var j = 0; j < 121; j++) {
            var at = 121 * i + j;
            if (at < 256) {
                chunks[i].in[j] <== digest[255 - at];
            } else {
                chunks[i].in[j] <== 0;
            }
        }
        message[i] <== chunks[i].out;
    }
    for (var i = 3; i < 17; i++) {
        message[i] <== 0;
    }
    RSAVerifier65537(121, 17)(message, signature, modulus);
}

component main { public [modulus] } = Signed(1024);
