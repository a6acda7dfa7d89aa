import Linux
import SegmentInspection

/// A segment as a bar: what of it is live, superseded, erased, and anything else.
struct SegmentPicture {
    private let glyphs: [Character]

    /// `isPlain`: ASCII alone.
    init(isPlain: Bool) {
        glyphs = isPlain ? ["#", "-", "x", "."] : ["█", "▒", "×", "·"]
    }

    /// Plain unless a person sees it on a terminal that shows UTF-8.
    static func forOutput() -> SegmentPicture {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy
            .compactMap(Environment.value).first { !$0.isEmpty }
        let name = (locale ?? "").uppercased()
        let isUnicode = name.hasSuffix("UTF-8") || name.hasSuffix("UTF8")
        return SegmentPicture(isPlain: !(StandardStream.output.isTerminal && isUnicode))
    }

    /// Characters of a line: the variable COLUMNS, else the terminal's.
    static func columns() -> Int {
        Environment.value("COLUMNS").flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
            ?? StandardStream.output.terminalColumns ?? 100
    }

    var legend: String {
        "\(glyphs[0]) live  \(glyphs[1]) superseded  \(glyphs[2]) erased  "
            + "\(glyphs[3]) headers, padding, stubs"
    }

    /// The bar of a segment of `byteCount` bytes where one of `largest` bytes has `width`
    /// characters. What is not nothing gets a character while there is one.
    func bar(_ usage: SegmentUsage, byteCount: Int, largest: Int, width: Int) -> String {
        guard byteCount > 0, largest > 0 else { return "" }
        let length = max(1, byteCount * width / largest)
        let parts = [usage.liveBytes, usage.supersededBytes, usage.erasedBytes]
        let all = parts + [max(0, byteCount - parts.reduce(0, +))]
        var cells = all.map { $0 * length / byteCount }
        for place in cells.indices where all[place] > 0 && cells[place] == 0 { cells[place] = 1 }
        // Rounding: the largest part gives or takes.
        let most = all.indices.max { all[$0] < all[$1] } ?? 0
        cells[most] = max(0, cells[most] + length - cells.reduce(0, +))
        let text = zip(glyphs, cells).map { String(repeating: $0, count: $1) }.joined()
        return String(text.prefix(length))
    }
}
