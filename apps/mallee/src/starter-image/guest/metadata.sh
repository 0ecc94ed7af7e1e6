# Reads the metadata service, version 2 of its protocol. busybox wget knows no PUT and its time-out crashes in this
# build, so requests go through nc.
service=169.254.169.254
token=

ask() { # METHOD PATH HEADER: the body on stdout; fails unless the answer is 200
  printf '%s %s HTTP/1.0\r\nHost: %s\r\n%s\r\nContent-Length: 0\r\n\r\n' "$1" "$2" "$service" "$3" |
    timeout 10 nc $service 80 2>/dev/null > /tmp/answer.$$ || return 1
  head -n 1 /tmp/answer.$$ | grep -q ' 200' || return 1
  sed '1,/^\r*$/d' /tmp/answer.$$
}

get_token() {
  token=$(ask PUT /latest/api/token 'X-aws-ec2-metadata-token-ttl-seconds: 21600') && [ -n "$token" ]
}

wait_for_metadata() {
  tries=0
  until get_token; do
    tries=$((tries + 1))
    [ $tries -ge 30 ] && return 1
    sleep 1
  done
}

metadata() { # PATH: asked again where no answer came; one that says no is an answer
  for again in 1 2 3; do
    ask GET "/latest/$1" "X-aws-ec2-metadata-token: $token" && return 0
    [ -s /tmp/answer.$$ ] && return 1
    sleep 1
  done
  return 1
}
