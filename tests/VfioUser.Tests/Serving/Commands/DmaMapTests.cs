using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Scenarios: test_dma_map.py. Spec: VFIO_USER_DMA_MAP.</summary>
public sealed class DmaMapTests : IDisposable
{
    private const uint Read = 1, Write = 2, Mmap = 4, FileIo = 8;
    private readonly Served _served = Served.Start(new VfioUserServerOptions { MaxDmaMaps = 10 });
    private readonly RawClient _client;

    public DmaMapTests() => _client = _served.Attach();

    public void Dispose()
    {
        _client.Dispose();
        _served.Dispose();
    }

    private static DmaMap Map(ulong address, ulong size, uint flags = Read | Write, ulong offset = 0, uint argsz = DmaMap.WireSize) =>
        new(argsz, (DmaMapFlags)flags, offset, address, size);

    private RawReply Ask(DmaMap map, params ReadOnlySpan<SafeHandle> fds) => _client.Ask(Command.DmaMap, map, fds);

    private void ShouldHaveMapped(params DmaRegion[] regions) => _served.Device.Dma.Regions.Should().Equal(regions);

    [Theory]
    [InlineData(0x1000ul, 0x1000ul)]
    [InlineData(0ul, 1ul)]
    [InlineData(0x123ul, 0x456ul)]
    [InlineData(ulong.MaxValue, 1ul)]
    [InlineData(ulong.MaxValue - 0xFFF, 0x1000ul)] // up to the last address
    [InlineData(0ul, ulong.MaxValue)]
    public void Memory_without_descriptor_is_reached_by_message(ulong address, ulong size)
    {
        Ask(Map(address, size)).ShouldBeGranted();

        ShouldHaveMapped(new DmaRegion(new Iova(address), size, true, true, DmaBacking.Message));
        _served.Device.ShouldTell($"mapped {new Iova(address)}");
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(Read)]
    [InlineData(Write)]
    [InlineData(Read | Write)]
    [InlineData(Read | Mmap)]
    [InlineData(Read | Write | Mmap)]
    [InlineData(Read | Write | Mmap | FileIo)]
    public void Sealed_memory_is_mapped(uint flags)
    {
        using SafeFileHandle file = Files.Sealed(0x4000);

        Ask(Map(0x1000, 0x2000, flags, offset: 0x2000), file).ShouldBeGranted();

        ShouldHaveMapped(new DmaRegion(new Iova(0x1000), 0x2000, (flags & Read) != 0, (flags & Write) != 0, DmaBacking.Mapped));
    }

    [Fact]
    public void Memory_that_could_shrink_is_read_with_system_calls()
    {
        using SafeFileHandle file = Files.Unsealed(0x4000);

        Ask(Map(0x1000, 0x4000), file).ShouldBeGranted();

        ShouldHaveMapped(new DmaRegion(new Iova(0x1000), 0x4000, true, true, DmaBacking.FileIo));
    }

    [Fact]
    public void A_client_may_ask_for_system_calls()
    {
        using SafeFileHandle file = Files.Sealed(0x4000);

        Ask(Map(0x1000, 0x4000, Read | FileIo), file).ShouldBeGranted();

        ShouldHaveMapped(new DmaRegion(new Iova(0x1000), 0x4000, true, false, DmaBacking.FileIo));
    }

    [Theory]
    [InlineData(0x1000ul, 0ul)] // of no size
    [InlineData(0x1000ul, ulong.MaxValue)] // past the last address; libvfio-user lets these pass
    [InlineData(ulong.MaxValue, 2ul)]
    [InlineData(ulong.MaxValue - 0xFFF, 0x1001ul)]
    public void An_address_that_overflows_is_refused(ulong address, ulong size)
    {
        using SafeFileHandle file = Files.Sealed(0x4000);

        Ask(Map(address, size)).ShouldBeRefused(Errno.EINVAL);
        Ask(Map(address, size), file).ShouldBeRefused(Errno.EINVAL);
        Ask(Map(address, size, Read | FileIo), file).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        ShouldHaveMapped();
    }

    [Theory]
    [InlineData(0x4000ul, 1ul)] // libvfio-user lets these pass
    [InlineData(0ul, 0x4001ul)]
    [InlineData(0x3000ul, 0x1001ul)]
    [InlineData(0x4001ul, 0x1000ul)]
    [InlineData(ulong.MaxValue, 0x1000ul)] // the sum wraps around
    [InlineData(0x7FFF_FFFF_FFFF_F000ul, 0x1000ul)]
    [InlineData(0x7FFF_FFFF_FFFF_FFFFul, 1ul)]
    [InlineData(0x8000_0000_0000_0000ul, 0x1000ul)]
    public void A_map_beyond_the_end_of_the_file_is_refused(ulong offset, ulong size)
    {
        using SafeFileHandle unmovable = Files.Sealed(0x4000);
        using SafeFileHandle movable = Files.Unsealed(0x4000);

        Ask(Map(0x1000, size, offset: offset), unmovable).ShouldBeRefused(Errno.EINVAL);
        Ask(Map(0x1000, size, offset: offset), movable).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        ShouldHaveMapped();
    }

    [Theory]
    [InlineData(0x10u)]
    [InlineData(0x8000_0000u)]
    [InlineData(uint.MaxValue)]
    public void Unknown_flags_are_refused(uint flags)
    {
        using SafeFileHandle file = Files.Sealed(0x4000);

        Ask(Map(0x1000, 0x1000, flags)).ShouldBeRefused(Errno.EINVAL);
        Ask(Map(0x1000, 0x1000, flags), file).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        ShouldHaveMapped();
    }

    [Theory]
    [InlineData(Read | Mmap)]
    [InlineData(Read | FileIo)]
    public void A_way_that_needs_a_descriptor_is_refused_without(uint flags)
    {
        Ask(Map(0x1000, 0x1000, flags)).ShouldBeRefused(Errno.EINVAL);

        ShouldHaveMapped();
    }

    [Fact]
    public void Of_two_descriptors_the_first_is_the_memory_and_the_other_is_closed()
    {
        using SafeFileHandle file = Files.Sealed(0x4000);
        using SafeFileHandle other = Files.DevNull();

        Ask(Map(0x1000, 0x1000), file, other).ShouldBeGranted();

        ShouldHaveMapped(new DmaRegion(new Iova(0x1000), 0x1000, true, true, DmaBacking.Mapped));
    }

    [Fact]
    public void Descriptors_beyond_the_limit_are_lost_and_a_map_needs_one()
    {
        using SafeFileHandle file = Files.Sealed(0x4000);

        Ask(Map(0x1000, 0x1000), [.. Enumerable.Repeat((SafeHandle)file, 17)]).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        ShouldHaveMapped();
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(31u)]
    public void An_argsz_that_does_not_hold_the_question_is_refused(uint argsz) =>
        Ask(Map(0x1000, 0x1000, argsz: argsz)).ShouldBeRefused(Errno.EINVAL);

    [Theory]
    [InlineData(8)]
    [InlineData(31)]
    public void A_payload_that_is_too_short_is_refused(int length)
    {
        using SafeFileHandle file = Files.Sealed(0x4000);

        _client.Ask(Command.DmaMap, RawClient.Bytes(Map(0x1000, 0x1000)).AsSpan(0, length), file).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
    }

    [Theory]
    [InlineData(0x10000ul, 0x1000ul)] // the same
    [InlineData(0x10000ul, 0x3000ul)]
    [InlineData(0x10FFFul, 1ul)]
    [InlineData(0x12FFFul, 1ul)] // the last byte
    [InlineData(0xF000ul, 0x1001ul)] // the first byte
    [InlineData(0ul, 0x100000ul)] // all around
    [InlineData(0ul, ulong.MaxValue)]
    public void A_map_over_a_map_is_refused_with_EEXIST(ulong address, ulong size)
    {
        using SafeFileHandle file = Files.Sealed(0x100000);
        Ask(Map(0x10000, 0x3000)).ShouldBeGranted();

        Ask(Map(address, size)).ShouldBeRefused(Errno.EEXIST);
        Ask(Map(address, size), file).ShouldBeRefused(Errno.EEXIST);

        _client.ShouldBeServed();
        ShouldHaveMapped(new DmaRegion(new Iova(0x10000), 0x3000, true, true, DmaBacking.Message));
    }

    [Fact]
    public void Maps_may_touch_each_other()
    {
        Ask(Map(0x2000, 0x1000)).ShouldBeGranted();
        Ask(Map(0x1000, 0x1000)).ShouldBeGranted();
        Ask(Map(0x3000, 0x1000)).ShouldBeGranted();

        _served.Device.Dma.Regions.Select(region => region.Address.Value).Should().Equal(0x1000, 0x2000, 0x3000);
    }

    [Fact]
    public void One_map_more_than_the_limit_is_refused()
    {
        for (ulong i = 1; i <= 10; i++)
            Ask(Map(i * 0x1000, 0x1000)).ShouldBeGranted();

        Ask(Map(0x100000, 0x1000)).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        _served.Device.Dma.Regions.Should().HaveCount(10);
    }

    [Fact]
    public void A_writable_map_of_memory_that_cannot_be_written_is_refused()
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, new byte[0x1000]);
            using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.Read);
            using Served trusting = Served.Start(new VfioUserServerOptions { TrustClientMemory = true });
            using RawClient client = trusting.Attach();

            client.Ask(Command.DmaMap, Map(0x1000, 0x1000), file).ShouldBeRefused(Errno.EACCES);
            client.Ask(Command.DmaMap, Map(0x1000, 0x1000, Read), file).ShouldBeGranted();

            trusting.Device.Dma.Regions.Single().Backing.Should().Be(DmaBacking.Mapped);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Special_files_are_never_touched()
    {
        using SafeFileHandle nothing = Files.DevNull();
        using EventFd eventFd = new();

        Ask(Map(0x1000, 0x1000), nothing).ShouldBeGranted();
        Ask(Map(0x2000, 0x1000), eventFd.Handle).ShouldBeGranted();
        Ask(Map(0x3000, 0x1000, Read | FileIo), nothing).ShouldBeRefused(Errno.EINVAL);
        Ask(Map(0x3000, 0x1000, Read | FileIo), eventFd.Handle).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        _served.Device.Dma.Regions.Should().HaveCount(2).And.OnlyContain(region => region.Backing == DmaBacking.Message);
    }
}
