using System.Runtime.InteropServices;

namespace VfioUser.Client.Tests;

public sealed class RegionInfoTests : IDisposable
{
    private const RegionFlags Mappable = RegionFlags.Read | RegionFlags.Write | RegionFlags.Mmap;
    private readonly FakeServer _server = FakeServer.Negotiated();
    private readonly TestFile _file = new();

    [Fact]
    public void A_region_that_cannot_be_mapped_has_no_areas()
    {
        Background<ClientRegion> asking = Ask(2);

        RegionInfo request = _server.Read<RegionInfo>(out MessageHeader header);
        _server.Answer(header, new RegionInfo(32, RegionFlags.Read, 2, 0, 0x3000, 0));

        request.Should().Be(new RegionInfo(32, 0, 2, 0, 0, 0));
        using ClientRegion region = asking.Result;
        region.Size.Should().Be(0x3000);
        region.Areas.Should().BeEmpty();
        region.File.Should().BeNull();
        region.Invoking(it => it.Map(new SparseMmapArea(0, 4096))).Should().Throw<InvalidOperationException>();
    }

    [Fact]
    public void A_region_without_capabilities_can_be_mapped_whole()
    {
        using ClientRegion region = Answer(new RegionInfo(32, Mappable, 0, 0, 0x3000, 0x1000), []);

        region.Areas.Should().Equal(new SparseMmapArea(0, 0x3000));
        _file.IsSameAs(region.File!).Should().BeTrue();
    }

    [Theory]
    [InlineData(0ul, 0x1000ul)]
    [InlineData(0x40ul, 0x3000ul)] // all of it lies behind the end
    [InlineData(0x100000ul, 8ul)]
    public void A_file_shorter_than_its_region_is_not_mapped(ulong offset, ulong size)
    {
        using ClientRegion region = Answer(new RegionInfo(32, Mappable, 0, 0, size, offset), []);

        region.Invoking(it => it.Map(it.Areas[0])).Should().Throw<IOException>().WithMessage("*the file has 64*");

        _file.OpenCopies.Should().Be(1, "only the region has it");
    }

    [Fact]
    public void A_file_is_mapped_up_to_its_end()
    {
        using ClientRegion region = Answer(new RegionInfo(32, Mappable, 0, 0, 64, 0), []);

        using SharedMemory memory = region.Map(region.Areas[0]);

        memory.Slice(0, 7).ToArray().Should().Equal("fd-test"u8.ToArray());
    }

    [Fact]
    public void A_reply_that_needs_a_larger_argsz_is_requested_again()
    {
        Background<ClientRegion> asking = Ask(0);
        byte[] capability = Sparse(next: 0, new SparseMmapArea(0x1000, 0x1000), new SparseMmapArea(0x2000, 0x800));
        uint size = (uint)(32 + capability.Length);

        _server.Read<RegionInfo>(out MessageHeader first);
        _server.Answer(first, new RegionInfo(size, Mappable | RegionFlags.Caps, 0, 0, 0x3000, 0), [], _file.Handle);
        RegionInfo second = _server.Read<RegionInfo>(out MessageHeader header);
        _server.Answer(header, new RegionInfo(size, Mappable | RegionFlags.Caps, 0, 32, 0x3000, 0), capability, _file.Handle);

        second.Argsz.Should().Be(size);
        using ClientRegion region = asking.Result;
        region.Areas.Should().Equal(new SparseMmapArea(0x1000, 0x1000), new SparseMmapArea(0x2000, 0x800));
        _file.OpenCopies.Should().Be(1, "that of the first reply is closed");
    }

    [Fact]
    public void A_server_that_always_raises_argsz_is_not_asked_endlessly()
    {
        Background<ClientRegion> asking = Ask(0);

        for (int i = 0; i < 2; i++)
        {
            RegionInfo request = _server.Read<RegionInfo>(out MessageHeader header);
            _server.Answer(header, new RegionInfo(request.Argsz + 1, Mappable | RegionFlags.Caps, 0, 0, 0x3000, 0), [], _file.Handle);
        }

        asking.Invoking(it => it.Result).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EBADMSG);
        _file.OpenCopies.Should().Be(0);
    }

    [Fact]
    public void Unknown_capabilities_are_skipped()
    {
        byte[] other = new byte[16];
        WireFormat.Write(other, new RegionCapHeader(RegionCapId.Type, 1, Next: 48));

        using ClientRegion region = Answer(Described(), [.. other, .. Sparse(next: 0, new SparseMmapArea(0, 0x1000))]);

        region.Areas.Should().Equal(new SparseMmapArea(0, 0x1000));
    }

    [Fact]
    public void A_sparse_capability_without_areas_means_none()
    {
        using ClientRegion region = Answer(Described(), Sparse(next: 0));

        region.Areas.Should().BeEmpty();
    }

    [Fact]
    public void An_area_may_reach_the_end_of_the_region()
    {
        using ClientRegion region = Answer(Described(), Sparse(next: 0, new SparseMmapArea(0x1000, 0x2000), new SparseMmapArea(0x3000, 0)));

        region.Areas.Should().HaveCount(2);
    }

    [Theory]
    [InlineData(0x3000ul, 1ul)]
    [InlineData(0x1000ul, 0x2001ul)]
    [InlineData(0x3001ul, 0ul)]
    [InlineData(ulong.MaxValue, 2ul)]
    [InlineData(1ul, ulong.MaxValue)]
    public void An_area_outside_of_the_region_is_refused(ulong offset, ulong size) =>
        AnswerInVain(Described(), Sparse(next: 0, new SparseMmapArea(offset, size)));

    [Theory]
    [InlineData(33u)] // the end
    [InlineData(64u)]
    [InlineData(uint.MaxValue)]
    [InlineData(0x80000000u)]
    public void A_capability_outside_of_the_reply_is_refused(uint offset) =>
        AnswerInVain(Described() with { CapOffset = offset }, new byte[8]);

    [Theory]
    [InlineData(2u)]
    [InlineData(0x10000000u)]
    [InlineData(uint.MaxValue)]
    public void Areas_beyond_the_end_of_the_reply_are_refused(uint count)
    {
        byte[] capability = Sparse(next: 0, new SparseMmapArea(0, 0x1000));
        WireFormat.Write(capability.AsSpan(RegionCapHeader.WireSize), count);

        AnswerInVain(Described(), capability);
    }

    [Fact]
    public void Capabilities_that_run_in_circles_are_refused()
    {
        byte[] self = new byte[16];
        WireFormat.Write(self, new RegionCapHeader(RegionCapId.Type, 1, Next: 32));
        byte[] two = new byte[32];
        WireFormat.Write(two, new RegionCapHeader(RegionCapId.Type, 1, Next: 48));
        WireFormat.Write(two.AsSpan(16), new RegionCapHeader(RegionCapId.MsixMappable, 1, Next: 32));

        AnswerInVain(Described(), self);
        AnswerInVain(Described(), two);
    }

    [Fact]
    public void A_region_that_ends_beyond_all_files_is_refused() =>
        AnswerInVain(new RegionInfo(32, Mappable, 0, 0, 0x3000, ulong.MaxValue - 0x1000), []);

    [Fact]
    public void A_reply_that_is_too_short_is_refused()
    {
        Background<ClientRegion> asking = Ask(0);

        MessageHeader header = _server.Peer.ReadHeader();
        _server.Peer.Write(Frame.Reply(header.MessageId, header.Command, new byte[31]), _file.Handle);

        asking.Invoking(it => it.Result).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EBADMSG);
        _file.OpenCopies.Should().Be(0);
    }

    public void Dispose()
    {
        _server.Dispose();
        _file.Dispose();
    }

    private static RegionInfo Described() => new(32, Mappable | RegionFlags.Caps, 0, 32, 0x3000, 0);

    private static byte[] Sparse(uint next, params SparseMmapArea[] areas)
    {
        byte[] bytes = new byte[RegionCapHeader.WireSize + SparseMmap.WireSize];
        WireFormat.Write(bytes, new RegionCapHeader(RegionCapId.SparseMmap, 1, next));
        WireFormat.Write(bytes.AsSpan(RegionCapHeader.WireSize), new SparseMmap((uint)areas.Length, 0));
        return [.. bytes, .. MemoryMarshal.AsBytes<SparseMmapArea>(areas)];
    }

    private Background<ClientRegion> Ask(uint index) => Background.Run(() => _server.Client.GetRegionInfo(index));

    private ClientRegion Answer(RegionInfo info, byte[] capabilities)
    {
        Background<ClientRegion> asking = Ask(0);
        _server.Read<RegionInfo>(out MessageHeader header);
        _server.Answer(header, info, capabilities, _file.Handle);
        return asking.Result;
    }

    private void AnswerInVain(RegionInfo info, byte[] capabilities)
    {
        VfioUserException failure = this.Invoking(it => it.Answer(info, capabilities)).Should().Throw<VfioUserException>().Which;
        failure.Command.Should().Be(Command.DeviceGetRegionInfo);
        failure.Errno.Should().Be(Errno.EBADMSG);
        _file.OpenCopies.Should().Be(0);
    }
}
