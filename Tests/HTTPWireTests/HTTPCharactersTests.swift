import Testing

@testable import HTTPWire

@Suite struct HTTPCharactersTests {
    /// RFC 9110 section 5.6.2, spelled out.
    private let tokens = Set(
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)

    @Test(arguments: UInt8.min...UInt8.max)
    func `every byte is in the classes that the standards give it`(byte: UInt8) {
        #expect(HTTPCharacters.isToken(byte) == tokens.contains(byte))
        let isText = byte == 0x09 || (byte >= 0x20 && byte != 0x7F)
        #expect(HTTPCharacters.isValue(byte) == isText)
        #expect(HTTPCharacters.isTarget(byte) == ((0x21...0x7E).contains(byte) && byte != 0x23))
        let lower = (0x41...0x5A).contains(byte) ? byte + 32 : byte
        #expect(HTTPCharacters.lower(byte) == lower)
        let scalar = Character(Unicode.Scalar(byte))
        let hexadecimal = scalar.isASCII ? scalar.hexDigitValue.map(UInt8.init) : nil
        #expect(HTTPCharacters.hexValue(byte) == hexadecimal)
    }

    @Test(arguments: [200, 204, 304, 400, 401, 403, 404, 405, 408, 413, 429, 500, 503])
    func `every status that is served has its reason`(status: Int) {
        #expect(HTTPStatus.reason(status).description != "Unknown")
    }
}
