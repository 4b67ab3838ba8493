using System.Runtime.InteropServices;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class LargeBarTests
{
    private const long Size = 64L << 30;

    [Theory]
    [InlineData(0x1_0000_0000, "read 100000000+4")]
    [InlineData(0xFFFF_FFFE, "read fffffffe+4")] // across the 4 GiB line
    [InlineData(0xF_FFFF_FFFC, "read ffffffffc+4")]
    public void Offsets_beyond_4_gib_reach_the_handler(long offset, string seen)
    {
        Recorder recorder = new();
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => d.Bar(0, BarKind.Memory64, Size, recorder)));

        guest.Bar0.Read<uint>(offset);
        guest.Bar0.Write(offset, 0x04030201u);

        recorder.Seen.Should().Equal(seen, $"write {offset:x} 01020304");
    }

    [Theory]
    [InlineData(Size, 1)]
    [InlineData(Size - 3, 4)]
    [InlineData(-1, 1)]
    [InlineData(-3, 4)] // the sum of both runs over
    public void Beyond_the_end_is_einval(long offset, int length)
    {
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => d.Bar(0, BarKind.Memory64, Size)));

        DeviceRegionTests.Refusal(() => guest.Bar0.Read(offset, new byte[length])).Should().Be(Errno.EINVAL);
        DeviceRegionTests.Refusal(() => guest.Bar0.Write(offset, new byte[length])).Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void Registers_work_up_there()
    {
        Register<ulong>? register = null;
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => register = d.Bar(2, BarKind.Memory64Prefetchable, Size).AddRegister<ulong>(Size - 8)));

        guest.Bar2.Write(Size - 8, 0x1122_3344_5566_7788UL);

        register!.Value.Should().Be(0x1122_3344_5566_7788UL);
        guest.Bar2.GetSize().Should().Be(Size);
    }

    [Fact]
    public void Shared_memory_works_up_there()
    {
        MemoryArea area = new(Size - 0x2000, 0x1000);
        Recorder recorder = new();
        RegionMemory? memory = null;
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => memory = d.Bar(0, BarKind.Memory64, Size, recorder).ShareMemory(area)));
        using ClientRegion region = guest.Client.GetRegionInfo(0);
        using SharedMemory mapped = region.Map(region.Areas.Should().ContainSingle().Subject);

        mapped.Slice(0xFFC, 4).Fill(0xA5);
        guest.Bar0.Write(area.Offset, 0x3Cu);

        MemoryMarshal.Read<uint>(memory!.Span(Size - 0x1004, 4)).Should().Be(0xA5A5_A5A5);
        guest.Bar0.Read<uint>(Size - 0x1004).Should().Be(0xA5A5_A5A5);
        mapped.Slice(0, 1)[0].Should().Be(0x3C);
        recorder.Seen.Should().BeEmpty();
        guest.Bar0.Read<byte>(Size - 0x1000).Should().Be(0); // the handler's again
        recorder.Seen.Should().Equal($"read {Size - 0x1000:x}+1");
    }

    [Fact]
    public void The_largest_bar_there_can_be_is_served()
    {
        Recorder recorder = new();
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => d.Bar(0, BarKind.Memory64, 1L << 62, recorder)));

        guest.Bar0.Read<byte>((1L << 62) - 1).Should().Be(0xFF);

        guest.Bar0.GetSize().Should().Be(1L << 62);
    }
}
