using System.Text;
using System.Text.Json;

namespace VfioUser.Protocol.Tests.Negotiation;

/// <summary>The text of a version message, as it is read and written by hand, beside the serializer.</summary>
public sealed class VersionTextTests
{
    [Theory]
    [InlineData("""{}""", true)]
    [InlineData("""{"capabilities":{}}""", true)]
    [InlineData("""{"capabilities": {"pgsizes": 4096, "max_msg_fds": 16, "max_dma_maps": 65535, "max_data_xfer_size": 1048576, "migration": {"max_bitmap_size": 268435456, "pgsize": 4096}, "write_multiple": true}}""", true)] // QEMU
    [InlineData("""{"capabilities":{"max_msg_fds":8,"max_data_xfer_size":1048576}}""", true)] // libvfio-user
    [InlineData("""{"capabilities":{"twin_socket":{"supported":true,"fd_index":0}}}""", true)]
    [InlineData("""{"capabilities":{"twin_socket":{},"migration":{},"write_multiple":false}}""", true)]
    [InlineData("""{"capabilities":{"max_msg_\u0066ds":8,"pgsizes":18446744073709551615,"max_dma_maps":-1}}""", true)]
    [InlineData("""{"capabilities":{"future":1}}""", false)]
    [InlineData("""{"capabilities":{"max_msg_fds":1,"max_msg_fds":1}}""", false)]
    [InlineData("""{"capabilities":{},"capabilities":{}}""", false)]
    [InlineData("""{"capabilities":null}""", false)]
    [InlineData("""{"capabilities":[]}""", false)]
    [InlineData("""{"capabilities":{"max_msg_fds":null}}""", false)]
    [InlineData("""{"capabilities":{"max_msg_fds":"8"}}""", false)]
    [InlineData("""{"capabilities":{"max_msg_fds":8.5}}""", false)]
    [InlineData("""{"capabilities":{"max_msg_fds":[8]}}""", false)]
    [InlineData("""{"capabilities":{"write_multiple":1}}""", false)]
    [InlineData("""{"capabilities":{"twin_socket":true}}""", false)]
    [InlineData("""{"capabilities":{"twin_socket":{"fd_index":4294967296}}}""", false)]
    [InlineData("""{"capabilities":{"migration":{"pgsize":-1}}}""", false)]
    [InlineData("""{"capabilities":{"\ud800":1}}""", false)]
    [InlineData("""{"capabilities":{}} x""", false)]
    [InlineData("""{"capabilities":{}""", false)]
    [InlineData("""[]""", false)]
    [InlineData("""null""", false)]
    [InlineData("", false)]
    public void A_text_is_read_as_the_serializer_reads_it_or_left_to_the_serializer(string text, bool isRead)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);

        VersionText.TryRead(bytes, out VersionJson? json).Should().Be(isRead);

        if (isRead)
            Text(json!).Should().Be(Text(JsonSerializer.Deserialize(bytes, VersionJsonContext.Default.VersionJson)!));
    }

    [Theory]
    [InlineData("""{"capabilities":{}}""")]
    [InlineData("""{"capabilities":{"max_msg_fds":16,"max_data_xfer_size":1048576,"max_dma_maps":65535,"pgsizes":18446744073709547520,"write_multiple":false,"twin_socket":{"supported":true,"fd_index":0},"migration":{"pgsize":4096,"max_bitmap_size":1}}}""")]
    [InlineData("""{"capabilities":{"twin_socket":{},"migration":{}}}""")]
    public void A_text_is_written_as_the_serializer_writes_it(string text)
    {
        VersionText.TryRead(Encoding.UTF8.GetBytes(text), out VersionJson? json).Should().BeTrue();

        Encoding.UTF8.GetString(VersionText.Write(json!.Capabilities!)).Should().Be(text).And.Be(Text(json));
    }

    private static string Text(VersionJson json) => JsonSerializer.Serialize(json, VersionJsonContext.Default.VersionJson);
}
