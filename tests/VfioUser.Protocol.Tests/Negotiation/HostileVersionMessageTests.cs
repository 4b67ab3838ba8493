using System.Text;

namespace VfioUser.Protocol.Tests.Negotiation;

/// <summary>Whatever a peer sends as its first message has a defined answer, and none is an exception.</summary>
public class HostileVersionMessageTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void Fewer_bytes_than_the_version_are_refused(int length) => Refused(new byte[length], "*fewer*");

    [Fact]
    public void Version_data_without_a_NUL_is_refused() => Refused(Payload.Raw("{}"u8), "*does not end in a NUL*");

    [Fact]
    public void Bytes_after_the_NUL_are_refused() => Refused(Payload.Raw("{}\0{}\0"u8), "*3 bytes after its NUL*");

    [Fact]
    public void A_second_NUL_is_refused() => Refused(Payload.Raw("{}\0\0"u8), "*1 bytes after its NUL*");

    [Fact]
    public void Data_beyond_the_limit_is_refused() =>
        Refused(Payload.Of("{}".PadRight(ProtocolLimits.MaxVersionDataSize)), "*65537 bytes, more than 65536*");

    [Fact]
    public void Invalid_utf8_is_refused() => Refused(Payload.Raw([.. "{\"a\":\""u8, 0xC3, 0x28, .. "\"}\0"u8]), "*not UTF-8*");

    [Fact]
    public void A_byte_order_mark_is_refused() => Refused(Payload.Raw([0xEF, 0xBB, 0xBF, .. "{}\0"u8]), "*not the JSON*");

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("{")]
    [InlineData("}")]
    [InlineData("\"")]
    [InlineData("{} {}")]
    [InlineData("{},")]
    [InlineData("nul")]
    [InlineData("{'capabilities':{}}")]
    [InlineData("{capabilities:{}}")]
    [InlineData("{\"capabilities\":{},}")]
    [InlineData("{/* */}")]
    [InlineData("{\"capabilities\":{}} // x")]
    [InlineData("{\"a\":\"\u0001\"}")]
    [InlineData("{\"a\":NaN}")]
    [InlineData("{\"a\":01}")]
    [InlineData("{\"a\":0x10}")]
    [InlineData("{\"a\":\"\\q\"}")]
    [InlineData("{\"\\ud800\":1}")]
    [InlineData("{\"capabilities\":{\"\\udc00max_msg_fds\":1}}")]
    public void Invalid_json_is_refused(string json) => Refused(Payload.Of(json), "*not the JSON*");

    [Theory]
    [InlineData("[]")]
    [InlineData("7")]
    [InlineData("true")]
    [InlineData("\"capabilities\"")]
    public void Json_that_is_no_object_is_refused(string json) => Refused(Payload.Of(json), "*not the JSON*");

    [Fact]
    public void Json_null_is_refused() => Refused(Payload.Of("null"), "*null and not an object*");

    [Theory]
    [InlineData("\"23\"")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("1")]
    [InlineData("true")]
    public void Capabilities_that_are_no_object_are_refused(string value) =>
        Refused(Payload.Of($$$"""{"capabilities":{{{value}}}}"""), "*at $.capabilities, byte *");

    [Theory]
    [InlineData("max_msg_fds")]
    [InlineData("max_data_xfer_size")]
    [InlineData("max_dma_maps")]
    [InlineData("pgsizes")]
    public void Numbers_of_another_type_are_refused(string key)
    {
        foreach (string value in (string[])["\"foo\"", "\"16\"", "null", "true", "[]", "[1]", "{}", "1.5", "16.0", "1e1", "1e400"])
            RefusedCapability(key, value, $"*at $.capabilities.{key}, byte *");
    }

    [Theory]
    [InlineData("max_msg_fds")]
    [InlineData("max_data_xfer_size")]
    [InlineData("max_dma_maps")]
    [InlineData("pgsizes")]
    public void Negative_and_huge_numbers_are_refused(string key)
    {
        string[] values = ["-1", "-9223372036854775808", "-9223372036854775809", "18446744073709551616", new string('9', 1000)];
        foreach (string value in values)
            RefusedCapability(key, value, $"*{key}*");
    }

    [Fact]
    public void A_transfer_size_of_0_is_refused() => RefusedCapability("max_data_xfer_size", "0", "max_data_xfer_size is 0*at least 1");

    [Fact]
    public void A_page_size_mask_of_0_is_refused() => RefusedCapability("pgsizes", "0", "pgsizes is 0*");

    [Fact]
    public void A_negative_descriptor_limit_is_refused() => RefusedCapability("max_msg_fds", "-1", "max_msg_fds is -1*");

    [Theory]
    [InlineData("\"true\"")]
    [InlineData("1")]
    [InlineData("null")]
    [InlineData("{}")]
    public void Booleans_of_another_type_are_refused(string value)
    {
        RefusedCapability("write_multiple", value, "*at $.capabilities.write_multiple, byte *");
        RefusedCapability("twin_socket", $$$"""{"supported":{{{value}}}}""", "*at $.capabilities.twin_socket.supported, byte *");
    }

    [Theory]
    [InlineData("\"23\"")]
    [InlineData("null")]
    [InlineData("true")]
    [InlineData("[]")]
    [InlineData("1")]
    public void Objects_of_another_type_are_refused(string value)
    {
        RefusedCapability("migration", value, "*at $.capabilities.migration, byte *");
        RefusedCapability("twin_socket", value, "*at $.capabilities.twin_socket, byte *");
    }

    [Theory]
    [InlineData("\"0\"")]
    [InlineData("null")]
    [InlineData("0.5")]
    [InlineData("2147483648")]
    [InlineData("99999999999999999999")]
    public void Descriptor_indexes_of_another_type_are_refused(string value) =>
        RefusedCapability("twin_socket", $$$"""{"fd_index":{{{value}}}}""", "*at $.capabilities.twin_socket.fd_index, byte *");

    [Theory]
    [InlineData("0")]
    [InlineData("4095")]
    [InlineData("4097")]
    [InlineData("18446744073709551615")]
    public void Migration_page_sizes_that_are_no_power_of_two_are_refused(string value) =>
        RefusedCapability("migration", $$$"""{"pgsize":{{{value}}}}""", $"migration.pgsize is {value}; it must be a power of two");

    [Theory]
    [InlineData("\"foo\"")]
    [InlineData("null")]
    [InlineData("-4096")]
    [InlineData("4096.0")]
    [InlineData("18446744073709551616")]
    public void Migration_numbers_of_another_type_are_refused(string value)
    {
        RefusedCapability("migration", $$$"""{"pgsize":{{{value}}}}""", "*at $.capabilities.migration.pgsize, byte *");
        RefusedCapability("migration", $$$"""{"max_bitmap_size":{{{value}}}}""", "*at $.capabilities.migration.max_bitmap_size, byte *");
    }

    [Theory]
    [InlineData("""{"capabilities":{},"capabilities":{}}""")]
    [InlineData("""{"capabilities":{"max_msg_fds":1,"max_msg_fds":1}}""")]
    [InlineData("""{"capabilities":{"max_msg_fds":1,"max_msg_\u0066ds":1}}""")]
    [InlineData("""{"capabilities":{"twin_socket":{"supported":true,"supported":false}}}""")]
    [InlineData("""{"capabilities":{"migration":{"pgsize":4096},"migration":{}}}""")]
    public void Duplicate_keys_are_refused(string json) => Refused(Payload.Of(json), "*not the JSON*");

    [Theory]
    [InlineData('[', ']')]
    [InlineData('[', ' ')]
    public void Deep_nesting_is_refused(char open, char close)
    {
        foreach (int depth in (int[])[VersionMessage.MaxJsonDepth, 64, 1000, 30_000])
        {
            string value = new string(open, depth) + new string(close, depth);

            Refused(Payload.Of($$$"""{"x":{{{value}}}}"""), "*not the JSON*");
            RefusedCapability("max_msg_fds", value, "*not the JSON*");
        }
    }

    [Fact]
    public void Keys_of_the_peers_do_not_reach_the_log() =>
        Refused(Payload.Of("""{"capabilities":{"evil\nkey":{"a":[1,}}}"""), "*at an unknown key, byte *");

    [Fact]
    public void Random_damage_to_a_valid_message_is_accepted_or_refused()
    {
        Random random = new(20240607);
        string twin = """ "twin_socket":{"supported":true,"fd_index":0},"pgsizes":""";
        byte[] valid = Payload.Of(Payload.Qemu.Replace("\"pgsizes\":", twin, StringComparison.Ordinal));
        string[] pieces =
        [
            "{", "}", "[", "null", "-1", "1e9", "\"", "\\u0000", "\\ud800", "true", ":", ",", "\0", "9999999999999999999",
        ];
        int refused = 0;
        for (int round = 0; round < 20_000; round++)
        {
            List<byte> damaged = [.. valid];
            for (int damage = random.Next(1, 4); damage > 0; damage--)
            {
                int at = random.Next(damaged.Count);
                switch (random.Next(4))
                {
                    case 0: damaged[at] = (byte)random.Next(256); break;
                    case 1: damaged.RemoveAt(at); break;
                    case 2: damaged.RemoveRange(at, random.Next(damaged.Count - at)); break;
                    default: damaged.InsertRange(at, Encoding.UTF8.GetBytes(pieces[random.Next(pieces.Length)])); break;
                }

                if (damaged.Count == 0)
                    break;
            }

            Errno errno = VersionMessage.TryParse(damaged.ToArray(), out _, out Capabilities capabilities, out string? problem);

            if (errno != Errno.None)
                refused++;
            Assert.True(errno is Errno.None or Errno.EINVAL);
            Assert.Equal(errno != Errno.None, problem is not null);
            Assert.True(errno == Errno.None || ReferenceEquals(capabilities, Capabilities.Unspecified));
        }

        refused.Should().BeInRange(10_000, 19_999, "most damage shows, some does not");
    }

    private static void RefusedCapability(string key, string value, string problem) =>
        Refused(Payload.Of($$$"""{"capabilities":{"{{{key}}}":{{{value}}}}}"""), problem);

    private static void Refused(byte[] payload, string expectedProblem)
    {
        Errno errno = VersionMessage.TryParse(payload, out _, out Capabilities capabilities, out string? problem);

        errno.Should().Be(Errno.EINVAL);
        capabilities.Should().BeSameAs(Capabilities.Unspecified);
        problem.Should().Match(expectedProblem);
    }
}
