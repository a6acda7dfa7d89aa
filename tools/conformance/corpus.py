"""Requests, well- and ill-formed, that parsers are compared on; the same on every run.

Each is everything that a client sends on one connection, ended by its half-close. Where a request is
whole, another one follows in many cases, so that a disagreement about where it ends shows.
"""

NEXT = b"GET /next HTTP/1.1\r\nHost: b\r\n\r\n"
GET = b"GET /a HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
TOKEN_MARKS = b"!#$%&'*+-.^_`|~"
CONTROLS = bytes(range(0x20)) + b"\x7f"


def request_lines():
    for method in (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"PURGE",
                   b"get", b"Get", b"GE T", b"", b"G\x00T", b"GET\t", b"M-SEARCH", b"\xc7ET"):
        yield method + b" /a HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT
    for mark in TOKEN_MARKS:
        yield b"GE" + bytes([mark]) + b"T /a HTTP/1.1\r\nHost: a\r\n\r\n"
    for target in (b"/", b"/a/b", b"/a?b", b"/a?b=c&d=%20", b"/a?b?c", b"//a", b"/../a", b"/a%2fb",
                   b"/%", b"/a#b", b"*", b"a", b"?a", b"", b"http://a/b", b"HTTP://a/b", b"https://a",
                   b"a:80", b"/a b", b"/a\tb", b"/\xc3\xb6", b"/\xff", b"/a\"b", b"/<a>", b"/a\\b",
                   b"/a{b}", b"/a|b", b"/a^b", b"/a`b", b"/" + b"a" * 4000):
        yield b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT
    for control in CONTROLS:
        yield b"GET /a" + bytes([control]) + b"b HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT
    for version in (b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.2", b"HTTP/1.10",
                    b"HTTP/01.1", b"HTTP/1.01", b"HTTP/1", b"HTTP/.1", b"http/1.1", b"HTTP /1.1",
                    b"HTTP/1.1 ", b" HTTP/1.1", b"HTTP/1,1", b"HTTP/+1.1", b"HTTPS/1.1", b"ICE/1.0",
                    b"RTSP/1.0", b""):
        yield b"GET /a " + version + b"\r\nHost: a\r\n\r\n" + NEXT
    for line in (b"GET /a\r\n", b"GET\r\n", b"/a HTTP/1.1\r\n", b"GET  /a HTTP/1.1\r\n",
                 b"GET /a  HTTP/1.1\r\n", b" GET /a HTTP/1.1\r\n", b"GET\t/a\tHTTP/1.1\r\n",
                 b"GET /a HTTP/1.1\n", b"GET /a HTTP/1.1\r", b"GET /a HTTP/1.1\r\r\n",
                 b"GET /a HTTP/1.1\n\r", b"\r\nGET /a HTTP/1.1\r\n", b"\nGET /a HTTP/1.1\r\n",
                 b"\r\n\r\nGET /a HTTP/1.1\r\n", b"\rGET /a HTTP/1.1\r\n", b"\0GET /a HTTP/1.1\r\n"):
        yield line + b"Host: a\r\n\r\n" + NEXT


def header_lines():
    for field in (b"A: b", b"A:b", b"A:", b"A: ", b"A:\tb\t", b"A:  b  ", b"A : b", b"A\t: b", b" A: b",
                  b"\tA: b", b": b", b"A", b"A b", b"A: b: c", b"A;: b", b"A(: b", b"A\"b: c", b"\xc3\xb6: b",
                  b"A: \xc3\xb6", b"A: \xff", b"A: b\xa0", b"A=b", b"A: b\r\n c", b"A: b\r\n\tc",
                  b"A: b\r\n \r\n c", b"A:\r\n b", b"A: b\nB: c", b"A: b\rB: c", b"A: b\r\r\nB: c",
                  b"A: b\n\r\nB: c", b"A: b\n c", b"A: b\x0bc", b"A: b\x0cc", b"A: " + b"b" * 9000,
                  b"A" * 300 + b": b", b"A: b\r\nA: c", b"a: b\r\nA: c", b"[A]: b", b"A{: b", b"A@: b"):
        yield GET + field + b"\r\n\r\n" + NEXT
    for control in CONTROLS:
        yield GET + b"A: b" + bytes([control]) + b"c\r\n\r\n" + NEXT
        yield GET + b"A" + bytes([control]) + b"b: c\r\n\r\n" + NEXT
    for mark in TOKEN_MARKS:
        yield GET + b"A" + bytes([mark]) + b"b: c\r\n\r\n" + NEXT
    for mark in b"\"(),/:;<=>?@[\\]{} ":
        yield GET + b"A" + bytes([mark]) + b"b: c\r\n\r\n" + NEXT
    for host in (b"", b"Host: a\r\nHost: a\r\n", b"Host: a\r\nHost: b\r\n", b"Host:\r\n", b"Host: a b\r\n",
                 b"Host: a:80\r\n", b"Host: [::1]:80\r\n", b"Host: a,b\r\n", b"Host: a/b\r\n",
                 b"Host: \xc3\xb6\r\n", b"host: a\r\n", b"HOST:a\r\n"):
        yield b"GET /a HTTP/1.1\r\n" + host + b"\r\n" + NEXT
    yield b"GET /a HTTP/1.0\r\n\r\n"
    for ending in (b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\n", b"\r\n\n", b" \r\n", b"\0\r\n", b""):
        yield GET + ending + NEXT
        yield GET + b"A: b" + ending + b"\r\n" + NEXT
    for connection in (b"close", b"keep-alive", b"Close", b"close, keep-alive", b"upgrade", b"TE, close",
                       b"", b","):
        yield GET + b"Connection: " + connection + b"\r\n\r\n" + NEXT
        yield b"GET /a HTTP/1.0\r\nHost: a\r\nConnection: " + connection + b"\r\n\r\n" + NEXT
    for count in (20, 99):
        yield GET + b"".join(b"A%d: b\r\n" % place for place in range(count)) + b"\r\n" + NEXT


def lengths():
    for length in (b"0", b"1", b"2", b"02", b"002", b"+2", b"-2", b"-0", b" 2", b"2 ", b"\t2", b"2\t", b"2 2",
                   b"2,2", b"2, 2", b"2,3", b"0x2", b"2.0", b"2e0", b"2a", b"a", b"", b" ", b"\"2\"",
                   b"2;a", b"\xd9\xa2", b"4294967298", b"18446744073709551618", b"9" * 40, b"1_0",
                   b"2\x0b", b"2\x00", b"\x0c2", b"2\n", b"2\r"):
        yield POST + b"Content-Length: " + length + b"\r\n\r\n" + b"ab" + NEXT
        yield POST + b"Content-Length:" + length + b"\r\n\r\n" + b"ab" + NEXT
    for pair in ((b"2", b"2"), (b"2", b"3"), (b"2", b""), (b"0", b"2"), (b"2", b"02")):
        yield (POST + b"Content-Length: " + pair[0] + b"\r\nContent-Length: " + pair[1] + b"\r\n\r\n"
               + b"ab" + NEXT)
    for name in (b"content-length", b"CONTENT-LENGTH", b"Content-Length ", b"Content_Length",
                 b"Content-Length\t", b" Content-Length", b"Content-Length\x00", b"\x00Content-Length"):
        yield POST + name + b": 2\r\n\r\nab" + NEXT
    for method in (b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"PUT"):
        yield method + b" /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab" + NEXT
        yield method + b" /a HTTP/1.1\r\nHost: a\r\n\r\nab" + NEXT
    for body in (b"", b"a", b"ab", b"abc"):
        yield POST + b"Content-Length: 2\r\n\r\n" + body
        yield b"POST /a HTTP/1.0\r\nContent-Length: 2\r\n\r\n" + body


def codings():
    body = b"2\r\nab\r\n0\r\n\r\n"
    for coding in (b"chunked", b"Chunked", b"CHUNKED", b" chunked", b"chunked ", b"chunked\t", b"\tchunked",
                   b"identity", b"gzip", b"gzip, chunked", b"chunked, gzip", b"chunked, chunked",
                   b"chunked,", b",chunked", b"chunked;a=b", b"\"chunked\"", b"xchunked", b"chunkedx",
                   b"", b"chunk", b"chunked\x00", b"\x0bchunked", b"chunked\x0b", b"identity, chunked",
                   b"chunked\r\n ", b"\r\n chunked", b"cow", b"compress", b"deflate"):
        yield POST + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + body + NEXT
        yield (POST + b"Transfer-Encoding: " + coding + b"\r\nContent-Length: 4\r\n\r\n" + body
               + NEXT)
        yield (POST + b"Content-Length: 4\r\nTransfer-Encoding: " + coding + b"\r\n\r\n" + body
               + NEXT)
    for name in (b"transfer-encoding", b"Transfer-Encoding ", b"Transfer_Encoding", b"Transfer-Encoding\t",
                 b" Transfer-Encoding", b"TE", b"Transfer-Encoding\x00"):
        yield POST + name + b": chunked\r\n\r\n" + body + NEXT
    yield (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + body
           + NEXT)
    yield POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + body + NEXT
    yield POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n" + body + NEXT
    yield b"POST /a HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body + NEXT
    yield GET + b"Transfer-Encoding: chunked\r\n\r\n" + body + NEXT


def chunks():
    for size in (b"2", b"02", b"0000000002", b"0" * 40 + b"2", b"0x2", b"+2", b"-2", b"2 ", b" 2", b"2\t",
                 b"2;", b"2;a", b"2;a=b", b"2;a=\"b\"", b"2 ;a", b"2; a", b"2;a\x00", b"2;\xff", b"2;a\nb",
                 b"2;a\rb", b"2\x00", b"g", b"", b"2.", b"2,", b"2 2", b"ffffffffffffffff", b"80000000",
                 b"10000000000000002", b"2_0", b"2;" + b"a" * 300, b"2;" + b"a" * 40000):
        yield CHUNKED + size + b"\r\nab\r\n0\r\n\r\n" + NEXT
    for text in (b"A\r\n0123456789\r\n0\r\n\r\n", b"a\r\n0123456789\r\n0\r\n\r\n",
                 b"2\nab\r\n0\r\n\r\n", b"2\r\nab\n0\r\n\r\n", b"2\r\nab0\r\n\r\n", b"2\r\nabc\r\n0\r\n\r\n",
                 b"2\r\na\r\n0\r\n\r\n", b"2\rab\r\n0\r\n\r\n", b"2\r\nab\r0\r\n\r\n", b"2\r\nab\r\n0\n\r\n",
                 b"2\r\nab\r\n0\r\n\n", b"2\r\nab\r\n0\r\n", b"2\r\nab\r\n", b"2\r\nab", b"2\r\n", b"2",
                 b"", b"0\r\n\r\n", b"00\r\n\r\n", b"0;a\r\n\r\n", b"2\r\nab\r\n-0\r\n\r\n",
                 b"2\r\nab\r\n0 \r\n\r\n", b"2\r\nab\r\n 0\r\n\r\n", b"2\r\nab\r\n\r\n0\r\n\r\n",
                 b"\r\n2\r\nab\r\n0\r\n\r\n", b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
                 b"2\r\r\nab\r\n0\r\n\r\n", b"2\r\nab\r\r\n0\r\n\r\n", b"2\r\nab\r\n0\r\r\n\r\n"):
        yield CHUNKED + text + NEXT
    for trailer in (b"A: b\r\n", b"A: b\r\nC: d\r\n", b"A : b\r\n", b"A\r\n", b": b\r\n", b"A: b\n", b" A: b\r\n",
                    b"A: \x00\r\n", b"Content-Length: 2\r\n", b"Transfer-Encoding: chunked\r\n",
                    b"Host: c\r\n", b"A: b\r\n c\r\n", b"A: \xff\r\n", b"A: b\rC: d\r\n"):
        yield CHUNKED + b"2\r\nab\r\n0\r\n" + trailer + b"\r\n" + NEXT


def sequences():
    yield b""
    yield NEXT * 2
    yield NEXT * 10
    for gap in (b"\r\n", b"\n", b"\r", b" ", b"\r\n\r\n", b"\0", b"x"):
        yield NEXT + gap + NEXT
        yield POST + b"Content-Length: 2\r\n\r\nab" + gap + NEXT
    for place in range(1, len(NEXT)):
        yield NEXT[:place]
    whole = CHUNKED + b"2\r\nab\r\n0\r\nA: b\r\n\r\n"
    for place in range(len(POST), len(whole), 2):
        yield whole[:place]
    for expectation in (b"100-continue", b"100-Continue", b"", b"100-continue, a", b"200-ok"):
        yield POST + b"Expect: " + expectation + b"\r\nContent-Length: 2\r\n\r\nab" + NEXT
    for upgrade in (b"h2c", b"websocket", b"TLS/1.0"):
        yield (GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: " + upgrade
               + b"\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n" + NEXT)
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64
    yield b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT
    yield b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT
    yield b"TRACE /a HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT


def inputs():
    """All of them, each once, in a fixed order."""
    parts = (request_lines, header_lines, lengths, codings, chunks, sequences)
    return list(dict.fromkeys(text for part in parts for text in part()))
