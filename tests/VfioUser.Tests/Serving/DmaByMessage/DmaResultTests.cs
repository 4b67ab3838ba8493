using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>A device can tell a guest's wrong address from a client that refuses, is silent, has gone, or makes no sense.</summary>
public sealed class DmaResultTests
{
    private static readonly Iova Memory = new(DmaSession.Memory);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_unmapped_address_is_NotMapped_and_a_read_only_one_NotWritable(bool twin)
    {
        using DmaSession session = new(twin);
        const ulong ReadOnly = 0x1000_0000;
        session.Client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, ReadOnly, 0x1000)).ShouldBeGranted();

        session.Device.Dma.TryRead(new Iova(1), out byte _).Should().Be(DmaStatus.NotMapped);
        session.Device.Dma.TryWrite(new Iova(1), (byte)1).Should().Be(DmaStatus.NotMapped);
        session.Device.Dma.TryWrite(new Iova(ReadOnly), (byte)1).Should().Be(DmaStatus.NotWritable);
        session.Device.Dma.TryAccess(new Iova(1), 1, writable: false, 0, static (_, _) => { }).Should().Be(DmaStatus.NotMapped);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_successful_access_is_Done(bool twin)
    {
        using DmaSession session = new(twin);
        Task<(DmaResult, byte)> read = Wait.Start(() => (session.Device.Dma.TryRead(Memory, out byte value), value));
        session.Answer(session.HearRead(0, 1), 9);
        read.ShouldGive((DmaResult.Done, (byte)9));

        session.Device.Dma.TryLease(Memory, 4, writable: true, out DmaLease lease).Should().BeTrue();
        Task<DmaResult> write = Wait.Start(() => lease.TryWrite(1, [1, 2]));
        RawReply request = session.Back.HearCommand(Command.DmaWrite);
        session.Back.Answer(request, request.Payload.AsSpan(0, DmaAccess.WireSize));
        write.ShouldGive(DmaStatus.Done);
        lease.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_refusal_of_the_client_is_Refused_with_its_errno(bool twin)
    {
        using DmaSession session = new(twin);

        for (int i = 0; i < 3; i++)
        {
            Task<DmaResult> read = Wait.Start(() => session.Device.Dma.TryRead(Memory, new byte[4]));
            session.Refuse(session.HearRead(0, 4), Errno.ENODEV);
            read.ShouldGive(new DmaResult(DmaStatus.Refused, Memory, Errno.ENODEV));
            Task<DmaResult> write = Wait.Start(() => session.Device.Dma.TryWrite(Memory, new byte[5]));
            session.Refuse(session.Back.HearCommand(Command.DmaWrite), Errno.EPERM);
            write.ShouldGive(DmaStatus.Refused);
        }

        session.Client.ShouldBeServed();
        session.Served.Log.Entries.Where(entry => entry.Id == CapturedLog.DmaRefused).Select(entry => entry.Text).Should().Equal(
            "The client refused DmaRead of 4 bytes at 0x10000 with ENODEV.",
            "The client refused DmaWrite of 5 bytes at 0x10000 with EPERM.");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_client_that_does_not_reply_is_TimedOut(bool twin)
    {
        using DmaSession session = new(twin, new VfioUserServerOptions { DmaTimeout = TimeSpan.FromMilliseconds(50) });

        session.Device.Dma.TryRead(Memory, new byte[4]).Should().Be(DmaStatus.TimedOut);
        session.Device.Dma.TryWrite(Memory, new byte[100_000]).Should().Be(DmaStatus.TimedOut);

        session.Served.Log.Entries.Where(entry => entry.Id == CapturedLog.DmaTimedOut).Should().ContainSingle("the first of a kind is told")
            .Which.Text.Should().Be("The client has not replied to DmaRead of 4 bytes at 0x10000 within 00:00:00.0500000.");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_access_fails_with_a_client_that_disconnects_during_and_after_it(bool twin)
    {
        using DmaSession session = new(twin);
        Task<DmaResult> small = Wait.Start(() => session.Device.Dma.TryRead(Memory, out byte _));
        session.HearRead(0, 1);
        Task<DmaResult> large = Wait.Start(() => session.Device.Dma.TryWrite(Memory, new byte[100_000]));
        session.Back.HearCommand(Command.DmaWrite);

        session.Client.Dispose();

        small.ShouldGive(DmaStatus.Disconnected);
        large.ShouldGive(DmaStatus.Disconnected);
        session.Device.ShouldTell("detached");
        session.Device.Dma.TryRead(Memory, out byte _).Should().Be(DmaStatus.Disconnected, "the address may have been a good one");
        session.Device.Dma.TryWrite<uint>(Memory, 1).Should().Be(DmaStatus.Disconnected);
    }

    [Fact]
    public void An_access_before_the_first_client_is_Disconnected()
    {
        using Served served = Served.Start();

        served.Device.Dma.TryRead(Memory, out byte _).Should().Be(DmaStatus.Disconnected);
        using RawClient client = served.Attach();
        client.ShouldBeServed();
        served.Device.Dma.TryRead(Memory, out byte _).Should().Be(DmaStatus.NotMapped);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_broken_stream_is_Disconnected(bool twin)
    {
        using DmaSession session = new(twin);
        Task<DmaResult> read = Wait.Start(() => session.Device.Dma.TryRead(Memory, new byte[4]));
        session.HearRead(0, 4);

        // what follows a lost rest is taken for a header
        session.Back.SayBytes(RawClient.Message(new MessageHeader(7, Command.DmaRead, 0x7F7F_7F7F, MessageFlags.Reply, 0)));

        read.ShouldGive(DmaStatus.Disconnected);
        if (twin)
            session.Client.ShouldBeServed();
        else
            session.Device.ShouldTell("detached");
        session.Device.Dma.TryRead(Memory, new byte[4]).Should().Be(DmaStatus.Disconnected);
        session.Served.Log.Entries.Where(entry => entry.Id is CapturedLog.SessionBroken or CapturedLog.DmaStreamBroken).Select(entry => entry.Text)
            .Should().Contain(text => text.Contains("DmaRead (message 7) has a size of 2139062143 bytes", StringComparison.Ordinal));
    }

    [Fact]
    public void A_failing_file_is_FileFailed_with_its_errno()
    {
        using DmaRig rig = new();
        using SafeFileHandle file = TestFiles.Memory(0x1000);
        rig.Map(DmaRig.ReadWrite, 0, DmaSession.Memory, 0x1000, file);
        TestFiles.Truncate(file, 0);

        rig.Dma.TryRead(Memory, out long _).Should().Be(new DmaResult(DmaStatus.FileFailed, Memory, Errno.EIO));
    }
}
