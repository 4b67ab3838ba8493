using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Tool.Tests.Tracing;

namespace VfioUser.Tool.Tests.Scratch;

public class ServeTests
{
    private const uint Config = 7;
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(2);

    [Theory]
    [InlineData]
    [InlineData("--trace")]
    public void The_example_is_served_as_described(params string[] more)
    {
        using ServedScratch served = new(more: more);
        using VfioUserClient client = served.Connect();

        Read<uint>(client, Config, 0).Should().Be(0x00F1_1B36);
        Read<uint>(client, Config, 8).Should().Be(0x1200_0002);
        Read<uint>(client, Config, 0x2C).Should().Be(0x0001_1B36);
        Read<uint>(client, 0, 0x40).Should().Be(0xCAFE0001);
        Read<uint>(client, 0, 0x50).Should().Be(0xEFBEADDE);
        Read<uint>(client, 4, 0).Should().Be(0x12345678);
        client.GetIrqInfo((uint)IrqType.Msi).Count.Should().Be(2);
        client.GetIrqInfo((uint)IrqType.MsiX).Count.Should().Be(2);
        client.GetMigrationFlags().Should().NotBe(MigrationFlags.None);
        byte[] config = new byte[4096];
        client.ReadRegion(Config, 0, config);
        Capabilities(config).Should().Contain([0x01, 0x10, 0x09, 0x12, 0x05, 0x11]);
    }

    [Fact]
    public void Writes_change_what_is_not_read_only_until_a_reset()
    {
        using ServedScratch served = new();
        using VfioUserClient client = served.Connect();

        client.WriteRegion(0, 0x3C, [1, 1, 1, 1, 2, 2, 2, 2]);
        uint writable = Read<uint>(client, 0, 0x3C);
        uint protectedValue = Read<uint>(client, 0, 0x40);
        FluentActions.Invoking(() => client.WriteRegion(4, 0, [1])).Should().Throw<VfioUserException>();
        client.ResetDevice();

        writable.Should().Be(0x01010101);
        protectedValue.Should().Be(0xCAFE0001);
        Read<uint>(client, 0, 0x3C).Should().Be(0);
    }

    [Fact]
    public void Doorbells_copy_guest_memory_and_interrupt()
    {
        using ServedScratch served = new();
        using SharedMemory memory = SharedMemory.Create(8192);
        using EventFd first = new();
        using EventFd second = new();
        using VfioUserClient client = served.Connect();
        client.MapDma(0x10000, 8192, memory.File);
        client.WriteRegion((uint)RegionIndex.Config, 0x04, [0x04, 0]); // bus mastering
        client.SetIrqEventFds((uint)IrqType.MsiX, 0, first.Handle, second.Handle);
        "out of memory"u8.CopyTo(memory.Slice(0, 13));

        Copy(client, 0x10000, 13, 0x18);
        Copy(client, 0x11000, 13, 0x1C);

        first.Wait(Timeout).Should().BeTrue();
        second.Wait(Timeout).Should().BeTrue();
        memory.Slice(0x1000, 13).ToArray().Should().Equal("out of memory"u8.ToArray());
        Read<uint>(client, 0, 0x0C).Should().Be(0u);
        Copy(client, 0x90000, 13, 0x18);
        Read<uint>(client, 0, 0x0C).Should().Be(1u, "nothing is mapped there");
        Copy(client, 0x10000, 0xF01, 0x18);
        Read<uint>(client, 0, 0x0C).Should().Be(1u, "the buffer ends with the BAR");
    }

    [Fact]
    public void Intx_is_pulsed()
    {
        using ServedScratch served = new();
        using EventFd pin = new();
        using VfioUserClient client = served.Connect();
        client.SetIrqEventFds((uint)IrqType.Intx, 0, pin.Handle);

        client.WriteRegion(0, 0x20, [1, 0, 0, 0]);

        pin.Wait(Timeout).Should().BeTrue();
    }

    [Fact]
    public void Mapped_areas_are_shared_and_begin_as_described()
    {
        using ServedScratch served = new("""
            {
              "id": { "vendor": 1, "device": 2 },
              "bars": [{ "number": 0, "size": "0x2000", "mapped": [{ "offset": "0x1000", "size": "0x1000" }],
                         "values": [{ "offset": "0x1004", "value": 77 }, { "offset": 4, "width": 8, "value": "0xffffffffffffffff" }] }]
            }
            """);
        using VfioUserClient client = served.Connect();
        using ClientRegion region = client.GetRegionInfo(0);
        using SharedMemory memory = region.Map(region.Areas[0]);

        memory.Slice(4, 1)[0].Should().Be(77);
        memory.Slice(8, 1)[0] = 0x99;
        Read<byte>(client, 0, 0x1008).Should().Be(0x99);
        Read<ulong>(client, 0, 4).Should().Be(ulong.MaxValue);
        client.ResetDevice();
        memory.Slice(8, 1)[0].Should().Be(0);
    }

    [Theory]
    [InlineData("{", "line 1, column 2")]
    [InlineData("{\n  \"idd\": {} }", "line 2, column 9 at idd: there is no such property.")]
    [InlineData("{ \"id\": { \"vendor\": \"many\", \"device\": 1 } }", "line 1, column 27 at id.vendor: this is no number; write 4096 or \"0x1000\".")]
    [InlineData("{}", "id: a device needs one, with vendor and device.")]
    [InlineData("{ \"id\": { \"vendor\": 1 } }", "id.device: it is missing.")]
    [InlineData("{ \"id\": { \"vendor\": 1, \"device\": 65536 } }", "id.device: 0x10000 is too large; it is at most 0xffff.")]
    [InlineData("{ \"id\": { \"vendor\": 1, \"device\": 1 }, \"bars\": [{ \"number\": 0, \"size\": 17 }] }", "bars[0]: ")]
    [InlineData("{ \"id\": { \"vendor\": 1, \"device\": 1 }, \"bars\": [{ \"number\": 0, \"size\": 16, \"kind\": \"large\" }] }", "bars[0].kind: 'large' is none of memory32")]
    [InlineData("{ \"id\": { \"vendor\": 1, \"device\": 1 }, \"bars\": [{ \"number\": 0, \"size\": 16, \"values\": [{ \"offset\": 14, \"value\": 1 }] }] }", "bars[0].values[0]: 4 bytes at 0xe do not fit")]
    [InlineData("{ \"id\": { \"vendor\": 1, \"device\": 1 }, \"bars\": [{ \"number\": 0, \"size\": 16, \"doorbells\": [{ \"offset\": 0, \"irq\": \"msi\" }] }] }", "bars[0].doorbells[0].vector: irqs has no vector 0 of msi.")]
    [InlineData("{ \"id\": { \"vendor\": 1, \"device\": 1 }, \"irqs\": { \"msix\": { \"bar\": 3 } } }", "irqs.msix.bar: there is no BAR 3.")]
    [InlineData("{ \"id\": { \"vendor\": 1, \"device\": 1 }, \"capabilities\": [{ \"type\": \"magic\" }] }", "capabilities[0].type: 'magic' is none of")]
    [InlineData("{ \"id\": { \"vendor\": 1, \"device\": 1 }, \"capabilities\": [{ \"type\": \"vendor\", \"data\": \"xy\" }] }", "capabilities[0].data: 'xy' is no row of bytes")]
    [InlineData("{ \"id\": { \"vendor\": 1, \"device\": 1 }, \"bars\": [null] }", "bars[0]: null is not allowed here")]
    [InlineData("{ \"id\": { \"vendor\": 1, \"device\": 1 }, \"bars\": [{ \"number\": 0, \"size\": 16, \"values\": [null] }] }", "bars[0].values[0]: null is not allowed here")]
    [InlineData("{ \"id\": { \"vendor\": 1, \"device\": 1 }, \"bars\": [{ \"number\": 0, \"size\": 16, \"mapped\": [null] }] }", "bars[0].mapped[0]: null is not allowed here")]
    [InlineData("{ \"id\": { \"vendor\": 1, \"device\": 1 }, \"bars\": [{ \"number\": 0, \"size\": 16, \"doorbells\": [null] }] }", "bars[0].doorbells[0]: null is not allowed here")]
    [InlineData("{ \"id\": { \"vendor\": 1, \"device\": 1 }, \"capabilities\": [null] }", "capabilities[0]: null is not allowed here")]
    public void An_invalid_description_is_one_line_with_the_path_in_it(string description, string complaint)
    {
        string file = Path.GetTempFileName();
        File.WriteAllText(file, description);

        ToolRun run = ToolRun.Of("serve", "@never", file);

        File.Delete(file);
        run.ExitCode.Should().Be(1);
        run.Error.Should().Contain(complaint);
        run.Error.Trim().Should().NotContain("\n");
    }

    [Fact]
    public void Without_a_description_the_error_names_the_option_for_an_example()
    {
        ToolRun run = ToolRun.Of("serve", "/tmp/never.sock");

        run.ExitCode.Should().Be(2);
        run.Error.Should().Contain("--example prints a description to begin with");
    }

    private static void Copy(VfioUserClient client, ulong address, uint length, ulong doorbell)
    {
        client.WriteRegion(0, 0x00, RawClient.Bytes(address));
        client.WriteRegion(0, 0x08, RawClient.Bytes(length));
        client.WriteRegion(0, doorbell, [1, 0, 0, 0]);
    }

    private static T Read<T>(VfioUserClient client, uint region, ulong offset)
        where T : unmanaged
    {
        byte[] bytes = new byte[System.Runtime.CompilerServices.Unsafe.SizeOf<T>()];
        client.ReadRegion(region, offset, bytes);
        return WireFormat.Read<T>(bytes);
    }

    private static List<int> Capabilities(byte[] config)
    {
        List<int> found = [];
        for (int at = config[0x34]; at != 0; at = config[at + 1])
            found.Add(config[at]);
        return found;
    }
}
