import Testing

@testable import SegmentInspection
@testable import daybook

struct SegmentTests {
    private func usage(_ live: Int, _ superseded: Int, _ erased: Int) -> SegmentUsage {
        var usage = SegmentUsage(cut: nil)
        usage.liveBytes = live
        usage.supersededBytes = superseded
        usage.erasedBytes = erased
        return usage
    }

    @Test func `a bar has the length of its file and a part for each kind of bytes`() {
        let picture = SegmentPicture(isPlain: true)
        func bar(_ usage: SegmentUsage, _ byteCount: Int, width: Int = 20) -> String {
            picture.bar(usage, byteCount: byteCount, largest: 1_000, width: width)
        }
        #expect(bar(usage(500, 250, 200), 1_000) == "##########-----xxxx.")
        #expect(bar(usage(250, 250, 0), 500) == "#####-----")
        #expect(bar(usage(0, 0, 0), 500) == "..........")
        #expect(bar(usage(997, 1, 1), 1_000) == "#################-x.")
        #expect(bar(usage(1, 0, 0), 1) == "#")
        #expect(bar(usage(0, 0, 0), 0) == "")
        #expect(bar(usage(300, 300, 300), 1_000, width: 2).count == 2)
        let unicode = SegmentPicture(isPlain: false)
        #expect(
            unicode.bar(usage(500, 500, 0), byteCount: 1_000, largest: 1_000, width: 4) == "██▒▒")
    }

    @Test func `numbers of bytes and shares are short`() {
        #expect(ByteText.text(0) == "0 B" && ByteText.text(1_023) == "1023 B")
        #expect(ByteText.text(1_024) == "1.0 KiB" && ByteText.text(16_777_216) == "16.0 MiB")
        #expect(ByteText.text(1_024 * 1_024 - 1) == "1023.9 KiB")
        #expect(ByteText.text(5 << 40) == "5.0 TiB" && ByteText.text(5 << 50) == "5120.0 TiB")
        #expect(ByteText.share(0, of: 10) == "0%" && ByteText.share(1, of: 1_000) == "<1%")
        #expect(ByteText.share(5, of: 10) == "50%" && ByteText.share(5, of: 0) == "0%")
    }

    @Test func `progress says how far, how fast and how long`() {
        var progress = ScanProgress("reading", total: 4_000_000, isShown: false, now: 0)
        progress.add(1_000_000, now: 5)
        #expect(
            progress.text(nanoseconds: 2_000_000_000)
                == "reading [######..................] 25%  976.5 KiB, 0 MB/s  ETA 0:06")
        #expect(progress.speed(now: 500_000_000) == "976.5 KiB read in 0.5 s, 2 MB/s")
    }

    @Test func `a file's line names its damage`() {
        let report = FileReport(
            "a.segment", 2_048, "tail", [Damage(10..<20, "wrong"), Damage(0..<0, "missing")])
        #expect(
            SegmentVerifyCommand.line(report, prefix: "node/")
                == "DAMAGED     2.0 KiB  node/a.segment: tail\n"
                + "         bytes 10 to 19: wrong\n         missing\n")
        #expect(
            String(decoding: SegmentVerifyCommand.json(report, prefix: ""), as: UTF8.self)
                == "{\"file\":\"a.segment\",\"bytes\":2048,\"ok\":false,\"contents\":\"tail\","
                + "\"damage\":[{\"from\":10,\"to\":20,\"reason\":\"wrong\"},"
                + "{\"from\":0,\"to\":0,\"reason\":\"missing\"}]}\n")
    }
}
