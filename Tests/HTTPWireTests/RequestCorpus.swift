/// Inputs of one connection up to its half-close, and what must happen. Return signs are CR LF.
enum RequestCorpus {
    static let all = plain + targets + lines + headers + lengths + chunks + sequences

    static let plain: [(String, [String])] = [
        ("", ["closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎⏎", ["GET / []", "closed"]),
        ("GET / HTTP/1.1⏎host: a⏎⏎", ["GET / []", "closed"]),
        ("GET / HTTP/1.1⏎HOST:a⏎⏎", ["GET / []", "closed"]),
        ("GET / HTTP/1.1⏎Host: \t a:7400 \t⏎⏎", ["GET / []", "closed"]),
        ("GET / HTTP/1.1⏎Host: [::1]:7400⏎⏎", ["GET / []", "closed"]),
        ("GET / HTTP/1.1⏎Host:⏎⏎", ["GET / []", "closed"]),
        ("GET / HTTP/1.0⏎⏎", ["GET / []", "closed"]),
        ("HEAD /x HTTP/1.1⏎Host: a⏎⏎", ["HEAD /x []", "closed"]),
        ("OPTIONS * HTTP/1.1⏎Host: a⏎⏎", ["OPTIONS * []", "closed"]),
        ("OPTIONS /x HTTP/1.1⏎Host: a⏎⏎", ["OPTIONS /x []", "closed"]),
        ("DELETE /x HTTP/1.1⏎Host: a⏎⏎", ["DELETE /x []", "closed"]),
        ("PUT /x HTTP/1.1⏎Host: a⏎Content-Length: 2⏎⏎{}", ["PUT /x [{}]", "closed"]),
        ("PURGE /x HTTP/1.1⏎Host: a⏎⏎", ["PURGE /x []", "closed"]),
        ("get /x HTTP/1.1⏎Host: a⏎⏎", ["get /x []", "closed"]),
        ("M!#$%&'*+-.^_`|~9 /x HTTP/1.1⏎Host: a⏎⏎", ["M!#$%&'*+-.^_`|~9 /x []", "closed"]),
        ("POST /x HTTP/1.1⏎Host: a⏎⏎", ["POST /x []", "closed"]),
        ("POST /x HTTP/1.1⏎Host: a⏎Content-Length: 0⏎⏎", ["POST /x []", "closed"]),
        ("POST /x HTTP/1.1⏎Host: a⏎Content-Length: 5⏎⏎hello", ["POST /x [hello]", "closed"]),
        ("GET /x HTTP/1.1⏎Host: a⏎Content-Length: 5⏎⏎hello", ["GET /x [hello]", "closed"]),
        ("⏎GET / HTTP/1.1⏎Host: a⏎⏎", ["GET / []", "closed"]),
        ("⏎", ["closed"]),
        ("⏎⏎GET / HTTP/1.1⏎Host: a⏎⏎", ["400 requestLine", "closed"]),
        ("POST /x HTTP/1.0⏎Content-Length: 2⏎⏎ab", ["POST /x [ab]", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎Empty:⏎Blank: \t ⏎⏎", ["GET / []", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎X: tab\there é ~⏎⏎", ["GET / []", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎Cookie: a⏎Cookie: b⏎⏎", ["GET / []", "closed"]),
    ]

    static let targets: [(String, [String])] = [
        ("GET /a/b HTTP/1.1⏎Host: a⏎⏎", ["GET /a/b []", "closed"]),
        ("GET /a%2Fb HTTP/1.1⏎Host: a⏎⏎", ["GET /a%2Fb []", "closed"]),
        ("GET //a/../b HTTP/1.1⏎Host: a⏎⏎", ["GET //a/../b []", "closed"]),
        ("GET /a? HTTP/1.1⏎Host: a⏎⏎", ["GET /a? []", "closed"]),
        ("GET /a?b=c&d HTTP/1.1⏎Host: a⏎⏎", ["GET /a?b=c&d []", "closed"]),
        ("GET /a?b?c HTTP/1.1⏎Host: a⏎⏎", ["GET /a?b?c []", "closed"]),
        ("GET http://a/ HTTP/1.1⏎Host: a⏎⏎", ["400 target", "closed"]),
        ("CONNECT a:443 HTTP/1.1⏎Host: a⏎⏎", ["400 target", "closed"]),
        ("GET * HTTP/1.1⏎Host: a⏎⏎", ["400 target", "closed"]),
        ("GET a HTTP/1.1⏎Host: a⏎⏎", ["400 target", "closed"]),
        ("GET ?a HTTP/1.1⏎Host: a⏎⏎", ["400 target", "closed"]),
        ("OPTIONS ** HTTP/1.1⏎Host: a⏎⏎", ["400 target", "closed"]),
        ("GET /a#b HTTP/1.1⏎Host: a⏎⏎", ["400 target", "closed"]),
        ("GET /a\u{0}b HTTP/1.1⏎Host: a⏎⏎", ["400 target", "closed"]),
        ("GET /a\tb HTTP/1.1⏎Host: a⏎⏎", ["400 target", "closed"]),
        ("GET /a\u{7f} HTTP/1.1⏎Host: a⏎⏎", ["400 target", "closed"]),
        ("GET /é HTTP/1.1⏎Host: a⏎⏎", ["400 target", "closed"]),
        ("GET /a\rb HTTP/1.1⏎Host: a⏎⏎", ["400 target", "closed"]),
    ]

    static let lines: [(String, [String])] = [
        ("GET⏎⏎", ["400 requestLine", "closed"]),
        ("GET /⏎⏎", ["400 requestLine", "closed"]),
        ("GET  / HTTP/1.1⏎Host: a⏎⏎", ["400 target", "closed"]),
        ("GET /  HTTP/1.1⏎Host: a⏎⏎", ["400 requestLine", "closed"]),
        ("GET / HTTP/1.1 ⏎Host: a⏎⏎", ["400 requestLine", "closed"]),
        (" GET / HTTP/1.1⏎Host: a⏎⏎", ["400 method", "closed"]),
        ("GET\t/ HTTP/1.1⏎Host: a⏎⏎", ["400 method", "closed"]),
        ("G(T / HTTP/1.1⏎Host: a⏎⏎", ["400 method", "closed"]),
        ("GÉT / HTTP/1.1⏎Host: a⏎⏎", ["400 method", "closed"]),
        ("\u{16}\u{3}\u{1}", ["400 method", "closed"]),
        ("GET / http/1.1⏎Host: a⏎⏎", ["400 requestLine", "closed"]),
        ("GET / HTTP/1⏎Host: a⏎⏎", ["400 requestLine", "closed"]),
        ("GET / HTTP/1.1.1⏎Host: a⏎⏎", ["400 requestLine", "closed"]),
        ("GET / HTTP/a.1⏎Host: a⏎⏎", ["400 requestLine", "closed"]),
        ("GET / HTTP/2.0⏎Host: a⏎⏎", ["505 version", "closed"]),
        ("GET / HTTP/1.2⏎Host: a⏎⏎", ["505 version", "closed"]),
        ("GET / HTTP/0.9⏎⏎", ["505 version", "closed"]),
        ("GET / HTTP/1.1\nHost: a\n\n", ["400 bareLineFeed", "closed"]),
        ("\nGET / HTTP/1.1⏎Host: a⏎⏎", ["400 bareLineFeed", "closed"]),
        ("GET / HTTP/1.1⏎Host: a\n\n", ["400 bareLineFeed", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎\n", ["400 bareLineFeed", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎X: a\rb⏎⏎", ["400 headerValue", "closed"]),
        ("GET / HTTP/1.1\r⏎Host: a⏎⏎", ["400 requestLine", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎\r⏎", ["400 headerName", "closed"]),
        ("GET /", ["closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎", ["closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎\r", ["closed"]),
    ]

    static let headers: [(String, [String])] = [
        ("GET / HTTP/1.1⏎⏎", ["400 host", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎Host: a⏎⏎", ["400 host", "closed"]),
        ("GET / HTTP/1.0⏎Host: a⏎Host: b⏎⏎", ["400 host", "closed"]),
        ("GET / HTTP/1.1⏎Host: a b⏎⏎", ["400 host", "closed"]),
        ("GET / HTTP/1.1⏎Host: a, b⏎⏎", ["400 host", "closed"]),
        ("GET / HTTP/1.1⏎Host: u@a⏎⏎", ["400 host", "closed"]),
        ("GET / HTTP/1.1⏎Host: a/b⏎⏎", ["400 host", "closed"]),
        ("GET / HTTP/1.1⏎Host : a⏎⏎", ["400 headerName", "closed"]),
        ("GET / HTTP/1.1⏎Host\t: a⏎⏎", ["400 headerName", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎: b⏎⏎", ["400 headerName", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎nocolon⏎⏎", ["400 headerName", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎X@: b⏎⏎", ["400 headerName", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎É: b⏎⏎", ["400 headerName", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎X\u{0}: b⏎⏎", ["400 headerName", "closed"]),
        ("GET / HTTP/1.1⏎ Host: a⏎⏎", ["400 foldedHeader", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎X: b⏎ c⏎⏎", ["400 foldedHeader", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎X: b⏎\tc⏎⏎", ["400 foldedHeader", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎X: b\u{0}⏎⏎", ["400 headerValue", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎X: b\u{1f}⏎⏎", ["400 headerValue", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎X: b\u{7f}⏎⏎", ["400 headerValue", "closed"]),
        (
            "GET / HTTP/1.1⏎Host: a⏎Content-Type: a⏎content-type: b⏎⏎",
            ["400 repeatedHeader", "closed"]
        ),
        (
            "GET / HTTP/1.1⏎Host: a⏎Authorization: a⏎Authorization: a⏎⏎",
            ["400 repeatedHeader", "closed"]
        ),
        ("GET / HTTP/1.1⏎Host: a⏎Expect: 200-ok⏎⏎", ["417 expectation", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎Expect: 100-Continue⏎⏎", ["GET / []", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎Connection: close⏎⏎GET / HTTP/1.1⏎", ["GET / []", "closed"]),
        ("GET / HTTP/1.1⏎Host: a⏎Connection: x, Close⏎⏎garbage", ["GET / []", "closed"]),
        ("GET / HTTP/1.0⏎⏎GET /2 HTTP/1.0⏎⏎", ["GET / []", "closed"]),
        (
            "GET / HTTP/1.0⏎Connection: Keep-Alive⏎⏎GET /2 HTTP/1.0⏎⏎",
            ["GET / []", "GET /2 []", "closed"]
        ),
    ]

    static let lengths: [(String, [String])] = [
        ("POST / HTTP/1.1⏎Host: a⏎Content-Length: 5⏎⏎hell", ["closed"]),
        ("POST / HTTP/1.1⏎Host: a⏎Content-Length: 5⏎Content-Length: 5⏎⏎hello", bad),
        ("POST / HTTP/1.1⏎Host: a⏎Content-Length: 5, 5⏎⏎hello", bad),
        ("POST / HTTP/1.1⏎Host: a⏎Content-Length: +5⏎⏎hello", bad),
        ("POST / HTTP/1.1⏎Host: a⏎Content-Length: -5⏎⏎hello", bad),
        ("POST / HTTP/1.1⏎Host: a⏎Content-Length: 0x5⏎⏎hello", bad),
        ("POST / HTTP/1.1⏎Host: a⏎Content-Length: 5.0⏎⏎hello", bad),
        ("POST / HTTP/1.1⏎Host: a⏎Content-Length: 05⏎⏎hello", bad),
        ("POST / HTTP/1.1⏎Host: a⏎Content-Length: 5 5⏎⏎hello", bad),
        ("POST / HTTP/1.1⏎Host: a⏎Content-Length:⏎⏎", bad),
        ("POST / HTTP/1.1⏎Host: a⏎Content-Length: ٥⏎⏎hello", bad),
        ("POST / HTTP/1.1⏎Host: a⏎Content-Length: 18446744073709551616⏎⏎", bad),
        ("POST / HTTP/1.1⏎Host: a⏎Content-Length: 9223372036854775807⏎⏎", bad),
        ("POST / HTTP/1.1⏎Host: a⏎Content-Length: 999999999999999999⏎⏎", ["413", "closed"]),
        ("POST / HTTP/1.1⏎Host: a⏎Content-Length: 101⏎⏎x", ["413", "closed"]),
        (
            "POST / HTTP/1.1⏎Host: a⏎Content-Length: 5⏎Transfer-Encoding: chunked⏎⏎0⏎⏎",
            ["400 ambiguousLength", "closed"]
        ),
        (
            "POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding: chunked⏎Content-Length: 5⏎⏎0⏎⏎",
            ["400 ambiguousLength", "closed"]
        ),
        ("POST / HTTP/1.0⏎Transfer-Encoding: chunked⏎⏎0⏎⏎", ["400 ambiguousLength", "closed"]),
        ("POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding: gzip, chunked⏎⏎", coding),
        ("POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding: chunked, gzip⏎⏎", coding),
        ("POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding: chunked, chunked⏎⏎", coding),
        ("POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding: identity⏎⏎", coding),
        ("POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding: \"chunked\"⏎⏎", coding),
        ("POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding: chunked;a=b⏎⏎", coding),
        ("POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding: xchunked⏎⏎", coding),
        ("POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding:⏎⏎", coding),
        ("POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding: chunked\t⏎⏎", coding),
        ("POST / HTTP/1.1⏎Host: a⏎Content-Length:\t5⏎⏎hello", bad),
        (
            "POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding: chunked⏎Transfer-Encoding: chunked⏎⏎",
            ["400 repeatedHeader", "closed"]
        ),
        (
            "POST / HTTP/1.1⏎Host: a⏎Content_Length: 5⏎⏎",
            ["POST / []", "closed"]
        ),
    ]

    private static let bad = ["400 contentLength", "closed"]
    private static let coding = ["501 transferEncoding", "closed"]
    private static let chunk = ["400 chunk", "closed"]

    private static func chunked(_ body: String) -> String {
        "POST /c HTTP/1.1⏎Host: a⏎Transfer-Encoding: chunked⏎⏎" + body
    }

    static let chunks: [(String, [String])] = [
        (chunked("0⏎⏎"), ["POST /c []", "closed"]),
        (chunked("5⏎hello⏎0⏎⏎"), ["POST /c [hello]", "closed"]),
        (chunked("5⏎hello⏎6⏎ world⏎0⏎⏎"), ["POST /c [hello world]", "closed"]),
        (chunked("A⏎0123456789⏎a⏎0123456789⏎0⏎⏎"), ["POST /c [01234567890123456789]", "closed"]),
        (chunked("00000005⏎hello⏎000⏎⏎"), ["POST /c [hello]", "closed"]),
        (chunked("2⏎\r\n⏎0⏎⏎"), ["POST /c [\r\n]", "closed"]),
        (chunked("5;a=b;c=\"d e\"⏎hello⏎0;x⏎⏎"), ["POST /c [hello]", "closed"]),
        (chunked("5⏎hello⏎0⏎X: y⏎Z:⏎⏎"), ["POST /c [hello]", "closed"]),
        (chunked("5⏎hello⏎0⏎Content-Length: 99⏎⏎"), ["400 ambiguousLength", "closed"]),
        (chunked("5⏎hello⏎0⏎transfer-encoding: x⏎⏎"), ["400 ambiguousLength", "closed"]),
        (chunked("5⏎hel"), ["closed"]), (chunked("5⏎hello⏎0⏎"), ["closed"]),
        (chunked("5⏎hello⏎0⏎X: y⏎"), ["closed"]), (chunked("5"), ["closed"]),
        (chunked("⏎"), chunk), (chunked("g⏎"), chunk), (chunked("-5⏎hello⏎0⏎⏎"), chunk),
        (chunked("+5⏎hello⏎0⏎⏎"), chunk), (chunked("0x5⏎hello⏎0⏎⏎"), chunk),
        (chunked("5 ⏎hello⏎0⏎⏎"), chunk), (chunked(" 5⏎hello⏎0⏎⏎"), chunk),
        (chunked("5;⏎hello⏎0⏎⏎"), chunk), (chunked("5; a⏎hello⏎0⏎⏎"), chunk),
        (chunked("5;a;;b⏎hello⏎0⏎⏎"), chunk), (chunked("5;a;b⏎hello⏎0⏎⏎"), hello),
        (chunked("5 ;a⏎hello⏎0⏎⏎"), chunk), (chunked("5,5⏎hello⏎0⏎⏎"), chunk),
        (chunked("000000005⏎hello⏎0⏎⏎"), chunk), (chunked("ffffffffffffffff⏎"), chunk),
        (chunked("5;a\u{0}⏎hello⏎0⏎⏎"), chunk), (chunked("5;a\r;b⏎hello⏎0⏎⏎"), chunk),
        (chunked("5⏎helloX⏎0⏎⏎"), chunk), (chunked("5⏎hello0⏎⏎"), chunk),
        (chunked("5⏎hello\n0⏎⏎"), chunk), (chunked("5⏎hello\rX0⏎⏎"), chunk),
        (chunked("5\nhello⏎0⏎⏎"), ["400 bareLineFeed", "closed"]),
        (chunked("5;" + String(repeating: "a", count: 1_023) + "⏎hello⏎0⏎⏎"), hello),
        (chunked("5;" + String(repeating: "a", count: 1_024) + "⏎hello⏎0⏎⏎"), long),
        (chunked("5;" + String(repeating: "a", count: 2_000)), long),
        (chunked("3;" + String(repeating: "a", count: 600) + "⏎hel⏎2;a⏎lo⏎0⏎⏎"), hello),
        (
            chunked(
                "3;" + String(repeating: "a", count: 600) + "⏎hel⏎2;"
                    + String(repeating: "a", count: 600) + "⏎lo⏎0⏎⏎"), long
        ),
        (
            chunked(
                String(repeating: "1;" + String(repeating: "a", count: 400) + "⏎x⏎", count: 3)
                    + "0⏎⏎"), long
        ),
        (chunked("64⏎" + hundred + "⏎0⏎⏎"), ["POST /c [\(hundred)]", "closed"]),
        (chunked("65⏎" + hundred), ["413", "closed"]),
        (chunked("64⏎" + hundred + "⏎1⏎x⏎0⏎⏎"), ["413", "closed"]),
        (chunked("ffffffff⏎"), ["413", "closed"]),
        (chunked("0⏎ X: y⏎⏎"), ["400 foldedHeader", "closed"]),
        (chunked("0⏎X : y⏎⏎"), ["400 headerName", "closed"]),
        (chunked("0⏎X: \u{1}⏎⏎"), ["400 headerValue", "closed"]),
        (
            chunked("0⏎" + String(repeating: "X: " + hundred + "⏎", count: 38) + "⏎"),
            ["POST /c []", "closed"]
        ),
        (
            chunked("0⏎" + String(repeating: "X: " + hundred + "⏎", count: 39) + "⏎"),
            ["431 headersTooLarge", "closed"]
        ),
        (
            chunked("0⏎X: " + String(repeating: "a", count: 5_000) + "⏎⏎"),
            ["431 headersTooLarge", "closed"]
        ),
    ]

    private static let hundred = String(repeating: "x", count: 100)
    private static let hello = ["POST /c [hello]", "closed"]
    private static let long = ["400 chunkExtensionsTooLong", "closed"]

    static let sequences: [(String, [String])] = [
        (
            "GET /1 HTTP/1.1⏎Host: a⏎⏎GET /2 HTTP/1.1⏎Host: a⏎⏎GET /3 HTTP/1.1⏎Host: a⏎⏎",
            ["GET /1 []", "GET /2 []", "GET /3 []", "closed"]
        ),
        (
            "POST /1 HTTP/1.1⏎Host: a⏎Content-Length: 3⏎⏎abcGET /2 HTTP/1.1⏎Host: a⏎⏎",
            ["POST /1 [abc]", "GET /2 []", "closed"]
        ),
        (
            chunked("3⏎abc⏎0⏎⏎") + chunked("1⏎x⏎1⏎y⏎0⏎T: v⏎⏎") + "GET /2 HTTP/1.1⏎Host: a⏎⏎",
            ["POST /c [abc]", "POST /c [xy]", "GET /2 []", "closed"]
        ),
        (
            "POST /1 HTTP/1.1⏎Host: a⏎Content-Length: 3⏎⏎abc⏎GET /2 HTTP/1.1⏎Host: a⏎⏎",
            ["POST /1 [abc]", "GET /2 []", "closed"]
        ),
        (
            "GET /1 HTTP/1.1⏎Host: a⏎⏎bad\u{1}line⏎GET /2 HTTP/1.1⏎Host: a⏎⏎",
            ["GET /1 []", "400 method", "closed"]
        ),
        (
            "⏎GET /1 HTTP/1.1⏎Host: a⏎⏎⏎GET /2 HTTP/1.1⏎Host: a⏎⏎⏎⏎",
            ["GET /1 []", "GET /2 []", "400 requestLine", "closed"]
        ),
        ("GET /1 HTTP/1.1⏎Host: a⏎⏎GET /2 HTTP/1.1⏎Ho", ["GET /1 []", "closed"]),
        (
            "POST / HTTP/1.1⏎Host: a⏎Content-Length: 200⏎⏎GET /2 HTTP/1.1⏎Host: a⏎⏎",
            ["413", "closed"]
        ),
    ]
}
