using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>A result names the first byte that could not be accessed.</summary>
public class DmaResultPlaceTests
{
    private const ulong At = 0x1_0000_0000;

    [Theory]
    [ClassData(typeof(EachWay))]
    public void A_hole_is_named_by_its_first_byte(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        rig.Map(At, 0x1000);
        byte[] bytes = new byte[0x1001];
        DmaResult expected = new(DmaStatus.NotMapped, new Iova(At + 0x1000));

        rig.Dma.TryRead(new Iova(At), bytes).Should().Be(expected);
        rig.Dma.TryWrite(new Iova(At), bytes).Should().Be(expected);
        rig.Dma.TryAccess(new Iova(At), bytes.Length, writable: true, 0, static (_, _) => { }).Should().Be(expected);
    }

    [Fact]
    public void A_region_that_does_not_allow_the_access_is_named_with_its_address_and_missing_permission()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        rig.Map(At + 0x1000, 0x1000, DmaMapFlags.Readable);
        rig.Map(At + 0x2000, 0x1000, DmaMapFlags.Writeable);

        rig.Dma.TryWrite(new Iova(At + 0xFFC), 1ul).Should().Be(new DmaResult(DmaStatus.NotWritable, new Iova(At + 0x1000)));
        rig.Dma.TryRead(new Iova(At + 0x1FFC), out ulong _).Should().Be(new DmaResult(DmaStatus.NotReadable, new Iova(At + 0x2000)));
        rig.Dma.TryPin(new Iova(At), 0x1001, DmaPinAccess.Write, out _).Should().Be(new DmaResult(DmaStatus.NotWritable, new Iova(At + 0x1000)));
        rig.Dma.TryPin(new Iova(At + 0x2000), 1, DmaPinAccess.ReadWrite, out _).Should().Be(new DmaResult(DmaStatus.NotReadable, new Iova(At + 0x2000)));
    }

    [Fact]
    public void An_access_beyond_the_last_address_writes_nothing_and_is_named_by_where_it_begins()
    {
        using DmaRig rig = new();
        SharedMemory top = rig.Map(0xFFFF_FFFF_FFFF_F000, 0x1000);
        rig.Map(0, 0x1000);
        Iova last = new(ulong.MaxValue);
        DmaResult expected = new(DmaStatus.AddressOverflow, last);

        rig.Dma.TryWrite(last, (ushort)0xFFFF).Should().Be(expected);
        rig.Dma.TryRead(last, new byte[2]).Should().Be(expected);
        rig.Dma.TryPin(last, 2, DmaPinAccess.Read, out _).Should().Be(expected);
        rig.Dma.TryWrite(last, (byte)0x42).Should().BeTrue();

        top.Slice(0xFFE, 2).ToArray().Should().Equal(0, 0x42);
    }

    [Fact]
    public void A_list_that_is_too_short_is_named_by_its_end()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        DmaList list = new(rig.Dma);
        list.TryRead(0, new byte[1]).Should().Be(DmaStatus.EndOfList);
        list.Add(new Iova(At + 8), 4);

        list.TryRead(1, new byte[4]).Should().Be(new DmaResult(DmaStatus.EndOfList, new Iova(At + 12)));
        list.TryWrite(1, new byte[4]).Should().Be(new DmaResult(DmaStatus.EndOfList, new Iova(At + 12)));
    }

    [Fact]
    public void A_result_that_was_never_set_is_no_success()
    {
        DmaResult unset = default;

        ((bool)unset).Should().BeFalse();
        unset.Status.Should().Be(DmaStatus.None);
        unset.ToString().Should().Be("no access");
    }

    [Theory]
    [InlineData(DmaStatus.Done, Errno.None, "done")]
    [InlineData(DmaStatus.NotMapped, Errno.None, "0x100002000: not mapped")]
    [InlineData(DmaStatus.Refused, Errno.ENODEV, "0x100002000: refused by the client (ENODEV)")]
    [InlineData(DmaStatus.FileFailed, Errno.EIO, "0x100002000: the client's file failed (EIO)")]
    [InlineData(DmaStatus.Disconnected, Errno.None, "0x100002000: no client")]
    public void The_text_has_the_address_and_the_reason(DmaStatus status, Errno errno, string text)
    {
        DmaResult result = new(status, new Iova(0x1_0000_2000), errno);

        result.ToString().Should().Be(text);
        result.Errno.Should().Be(errno);
        result.Address.Should().Be(new Iova(0x1_0000_2000));
        ((bool)result).Should().Be(status == DmaStatus.Done);
    }

    [Fact]
    public void Each_status_has_a_text_of_its_own()
    {
        DmaStatus[] all = Enum.GetValues<DmaStatus>();

        all.Select(status => new DmaResult(status).ToString()).Should().OnlyHaveUniqueItems()
            .And.NotContain(text => all.Any(status => text.EndsWith(": " + status, StringComparison.Ordinal)));
    }

    [Fact]
    public void A_result_fits_into_two_registers() => System.Runtime.CompilerServices.Unsafe.SizeOf<DmaResult>().Should().Be(16);
}
