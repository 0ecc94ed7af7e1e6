# Lists a bucket with the credentials of the instance's role, as any SDK does it, with nothing but busybox: asks the
# metadata service for them, signs by Signature Version 4, and sends it. Usage: guest-list-bucket.sh HOST PORT BUCKET
host=$1 port=$2 bucket=$3
. /etc/mallee/metadata.sh
get_token || exit 2
role=$(metadata meta-data/iam/security-credentials/) || exit 3
metadata "meta-data/iam/security-credentials/$role" > /tmp/credentials || exit 4
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" /tmp/credentials; }
key=$(field AccessKeyId) secret=$(field SecretAccessKey) session=$(field Token)

sha() { sha256sum | cut -c1-64; }
escaped() { sed 's/../\\x&/g'; }
tohex() { od -An -v -tx1 | tr -d ' \n'; }
# HEXKEY BYTE: the key, filled up to a block and combined with the byte, in printf's escapes
padded() {
  awk -v key="$1" -v byte="$2" 'BEGIN {
    while (length(key) < 128) key = key "00"
    for (at = 1; at <= 128; at += 2) {
      high = index("0123456789abcdef", substr(key, at, 1)) - 1
      low = index("0123456789abcdef", substr(key, at + 1, 1)) - 1
      printf "\\x%02x", xor(high * 16 + low, byte)
    }
  }'
}
# HEXKEY TEXT: the code in hex
hmac() {
  inner=$({ printf "$(padded "$1" 54)"; printf %s "$2"; } | sha)
  { printf "$(padded "$1" 92)"; printf "$(echo -n "$inner" | escaped)"; } | sha
}

now=$(date -u +%Y%m%dT%H%M%SZ) day=$(date -u +%Y%m%d)
names='host;x-amz-content-sha256;x-amz-date;x-amz-security-token'
canonical=$(printf 'GET\n/%s\n\nhost:%s:%s\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:%s\nx-amz-security-token:%s\n\n%s\nUNSIGNED-PAYLOAD' \
  "$bucket" "$host" "$port" "$now" "$session" "$names")
scope="$day/us-east-1/s3/aws4_request"
tosign=$(printf 'AWS4-HMAC-SHA256\n%s\n%s\n%s' "$now" "$scope" "$(printf %s "$canonical" | sha)")
signing=$(hmac "$(printf 'AWS4%s' "$secret" | tohex)" "$day")
for part in us-east-1 s3 aws4_request; do signing=$(hmac "$signing" $part); done
{
  printf 'GET /%s HTTP/1.0\r\nHost: %s:%s\r\n' "$bucket" "$host" "$port"
  printf 'x-amz-content-sha256: UNSIGNED-PAYLOAD\r\nx-amz-date: %s\r\nx-amz-security-token: %s\r\n' "$now" "$session"
  printf 'Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s\r\n\r\n' \
    "$key" "$scope" "$names" "$(hmac "$signing" "$tosign")"
  sleep 3 # nc ends with its input
} | timeout 30 nc "$host" "$port"
