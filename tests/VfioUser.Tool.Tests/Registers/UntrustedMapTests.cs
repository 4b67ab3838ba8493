using System.Text;

namespace VfioUser.Tool.Tests.Registers;

/// <summary>A server's map is what the server likes.</summary>
public class UntrustedMapTests
{
    [Theory]
    [InlineData("", "has 0 bytes")]
    [InlineData("{", "not valid JSON")]
    [InlineData("null", "is empty")]
    [InlineData("[]", "not valid JSON")]
    [InlineData("\0\0\0\0", "not valid JSON")]
    [InlineData("""{"version":2,"registers":[]}""", "has version 2; this tool reads version 1")]
    [InlineData("""{"version":1}""", "There is no register 'CTRL'")]
    [InlineData("""{"version":1,"registers":[null]}""", "a register without a name")]
    [InlineData("""{"version":1,"registers":[{"width":4}]}""", "a register without a name")]
    [InlineData("""{"version":1,"registers":[{"name":"CTRL","width":3}]}""", "impossible width or offset")]
    [InlineData("""{"version":1,"registers":[{"name":"CTRL","width":4,"offset":18446744073709551615}]}""", "impossible width or offset")]
    [InlineData("""{"version":1,"registers":[{"name":"CTRL","width":4,"offset":-1}]}""", "not valid JSON")]
    [InlineData("""{"version":1,"registers":[{"name":"CTRL","width":4,"fields":[null]}]}""", "a field without a name")]
    [InlineData("""{"version":1,"registers":[{"name":"CTRL","width":4,"fields":[{"name":"EN","bit":32,"width":1}]}]}""", "outside of its register: 'CTRL.EN'")]
    [InlineData("""{"version":1,"registers":[{"name":"CTRL","width":4,"fields":[{"name":"EN","bit":0,"width":0}]}]}""", "outside of its register")]
    [InlineData("""{"version":1,"registers":[{"name":"CTRL","width":4,"fields":[{"name":"EN","bit":2147483647,"width":64}]}]}""", "outside of its register")]
    [InlineData("""{"version":1,"registers":[{"name":"CTRL","width":4,"region":4000000000}]}""", "CTRL was not read: the server refused it with EINVAL")]
    [InlineData("""{"version":1,"registers":[{"name":"CTRL","width":4,"fields":{}}]}""", "not valid JSON")]
    public void An_invalid_map_is_one_line_and_exit_code_1(string map, string error)
    {
        using Served served = new(new Liar(Encoding.UTF8.GetBytes(map)));

        ToolRun run = served.Run("read", "CTRL");

        run.ExitCode.Should().Be(1);
        run.Error.Should().StartWith("vfio-user: ").And.Contain(error).And.EndWith("\n");
        run.Error.Trim().Should().NotContain("\n");
    }

    [Fact]
    public void A_map_beyond_the_limit_is_not_read()
    {
        Liar liar = new([], size: 1L << 40);
        using Served served = new(liar);

        ToolRun run = served.Run("read", "CTRL");

        run.ExitCode.Should().Be(1);
        run.Error.Should().Contain("has 1099511627776 bytes; 1 to 1048576 can be read");
        liar.Reads.Should().Be(0);
    }

    [Fact]
    public void Control_characters_do_not_reach_the_terminal()
    {
        using Served served = new(new Liar("""
            {"version":1,"registers":[{"name":"C\u001b[2J\n","width":4,"access":"\u0007","description":"\u202eevil",
            "fields":[{"name":"E\r","bit":0,"width":2,"members":{"\u001b]0;":0}}]}]}
            """u8.ToArray()));

        ToolRun info = served.Run("info", "--registers");

        info.ExitCode.Should().Be(0);
        info.Out.Should().Contain("C?[2J?").And.Contain("?evil").And.Contain("E?").And.Contain("?]0;=0");
        info.Out.Where(char.IsControl).Should().OnlyContain(character => character == '\n');
    }

    [Fact]
    public void A_map_nested_deeply_is_refused()
    {
        using Served served = new(new Liar(Encoding.UTF8.GetBytes(
            $$"""{"version":1,"registers":[],"more":{{new string('[', 500_000)}}""")));

        ToolRun run = served.Run("read", "CTRL");

        run.ExitCode.Should().Be(1);
        run.Error.Should().Contain("not valid JSON");
    }

    private sealed class Liar : PciDevice, IRegionHandler
    {
        private readonly byte[] _map;
        private int _reads;

        public Liar(byte[] map, long? size = null)
            : base(new PciId(0x1234, 0x567A), PciClass.ProcessingAccelerator)
        {
            _map = map;
            AddBar(0, BarKind.Memory32, 0x1000);
            AddDeviceRegion(0x8000_1B36, 0x5265_674D, size ?? map.Length, this);
        }

        public int Reads => Volatile.Read(ref _reads);

        public void Read(long offset, Span<byte> destination)
        {
            Interlocked.Increment(ref _reads);
            _map.AsSpan((int)offset, destination.Length).CopyTo(destination);
        }

        public void Write(long offset, ReadOnlySpan<byte> source)
        {
            // nothing to change
        }
    }
}
