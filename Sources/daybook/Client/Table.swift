/// Rows of text in columns, for people.
struct Table {
    enum Alignment { case left, right }

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

    mutating func append(_ row: [String]) {
        precondition(row.count == columns.count, "\(row.count) cells in \(columns.count) columns")
        rows.append(row.map(Printable.text))
    }

    /// The table's lines. The last column is shortened so that none exceeds `width` characters.
    func text(width: Int) -> String {
        var widths = columns.map(\.title.count)
        for row in rows {
            for (place, cell) in row.enumerated() { widths[place] = max(widths[place], cell.count) }
        }
        let last = columns.count - 1
        let before = widths.dropLast().reduce(0) { $0 + $1 + 2 }
        widths[last] = max(columns[last].title.count, min(widths[last], width - before))
        return ([columns.map(\.title)] + rows).map { line($0, widths) + "\n" }.joined()
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        var text = ""
        for (place, cell) in cells.enumerated() {
            let cell = Self.shorten(cell, to: widths[place])
            let padding = String(repeating: " ", count: widths[place] - cell.count)
            text += columns[place].alignment == .left ? cell + padding : padding + cell
            if place < cells.count - 1 { text += "  " }
        }
        while text.last == " " { text.removeLast() }
        return text
    }

    static func shorten(_ text: String, to width: Int) -> String {
        text.count <= width ? text : text.prefix(max(width - 1, 0)) + "…"
    }
}
