namespace VfioUser.Protocol.Tests.Wire;

/// <summary>The byte order, in the header; <see cref="LayoutTests"/> has the fields of every structure.</summary>
public class WireBytesTests
{
    [Fact]
    public void Message_header() => Pin(
        new MessageHeader(0x1234, Command.RegionWrite, 0x00100020, MessageFlags.Command | MessageFlags.NoReply, 0),
        "3412 0a00 20001000 10000000 00000000");

    [Fact]
    public void Message_header_of_an_error_reply() => Pin(
        new MessageHeader(0xFFFE, Command.DmaMap, 16, MessageFlags.Reply | MessageFlags.Error, (uint)Errno.EEXIST),
        "feff 0200 10000000 21000000 11000000");

    private static void Pin<T>(T value, string hex) where T : unmanaged
    {
        byte[] expected = Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
        byte[] written = new byte[expected.Length];

        WireFormat.Write(written, value);

        Convert.ToHexStringLower(written).Should().Be(Convert.ToHexStringLower(expected));
        WireFormat.Read<T>(expected).Should().Be(value);
    }
}
