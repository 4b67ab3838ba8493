using System.Text;

namespace VfioUser.Protocol.Tests.Negotiation;

/// <summary>Why a version was refused, as far as a server says and a terminal can show.</summary>
public class RefusalTests
{
    private static string? ReasonOf(string text) => VersionMessage.ReasonOf([0, 0, 0, 0, .. Encoding.UTF8.GetBytes(text)]);

    [Fact]
    public void A_reason_is_written_and_read() => VersionMessage.ReasonOf(VersionMessage.FormatRefusal("it is in use")).Should().Be("it is in use");

    /// <summary>A client that overlooks the Error bit reads it as a reply: it must not find an agreement there.</summary>
    [Fact]
    public void A_refusal_has_no_capabilities() =>
        Encoding.UTF8.GetString(VersionMessage.FormatRefusal("no")[ProtocolVersion.WireSize..]).Should().Be("{\"error\":\"no\"}\0");

    [Theory]
    [InlineData("")]
    [InlineData("\0")]
    [InlineData("{}\0")]
    [InlineData("{\"error\":\"\"}\0")]
    [InlineData("{\"error\":null}\0")]
    [InlineData("{\"error\":17}\0")]
    [InlineData("{\"error\":[\"x\"]}\0")]
    [InlineData("{\"error\":\"a\\u001b[2J\"}\0")]
    [InlineData("{\"error\":\"two\\nlines\"}\0")]
    [InlineData("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[")]
    [InlineData("null\0")]
    public void A_reason_that_cannot_be_shown_is_none(string text) => ReasonOf(text).Should().BeNull();

    [Fact]
    public void A_reason_that_is_too_long_or_no_text_is_none()
    {
        ReasonOf($"{{\"error\":\"{new string('x', 257)}\"}}\0").Should().BeNull();
        VersionMessage.ReasonOf([0, 0, 0, 0, (byte)'{', 0xFF, 0xFE, 0]).Should().BeNull();
        VersionMessage.ReasonOf([]).Should().BeNull();
        VersionMessage.ReasonOf([0, 0]).Should().BeNull();
        VersionMessage.ReasonOf(new byte[1 << 20]).Should().BeNull();
    }
}
