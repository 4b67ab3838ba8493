using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>
/// A client that answers the device's DMA by hand. Reading BAR 0 reads one of the client's regions at the same offset,
/// on the command thread; writing it writes there.
/// </summary>
internal sealed class DmaSession : IDisposable
{
    public const ulong Memory = 0x10000;
    public const byte Failed = 0xEE;

    public DmaSession(bool twin, VfioUserServerOptions? options = null)
        : this(ServedBy.OwnThread, twin, options)
    {
    }

    public DmaSession(ServedBy by, bool twin, VfioUserServerOptions? options = null)
    {
        Served = Served.Start(by, new ProbeDevice(), options ?? new VfioUserServerOptions { DmaTimeout = Wait.Bound });
        Device.Read = (offset, destination) =>
        {
            Result = Device.Dma.TryRead(new Iova(Memory + (ulong)offset), destination);
            if (!Result)
                destination.Fill(Failed);
        };
        Device.Written = (offset, source) => LastWrite = Device.Dma.TryWrite(new Iova(Memory + (ulong)offset), source);
        Client = Served.Attach(twin ? Served.TwinProposal : Served.QemuProposal);
        Client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0, Memory, 0x40_0000)).ShouldBeGranted();
    }

    public Served Served { get; }

    public ProbeDevice Device => Served.Device;

    public RawClient Client { get; }

    /// <summary>Where the server's commands come: the twin socket if there is one.</summary>
    public RawClient Back => Client.Twin ?? Client;

    /// <summary>What became of the device's last read.</summary>
    public DmaResult Result { get; private set; }

    /// <summary>What became of the device's last write.</summary>
    public bool? LastWrite { get; private set; }

    public static byte[] Read(ushort id, ulong offset, uint count) =>
        RawClient.Message(id, Command.RegionRead, new RegionAccess(offset, ProbeDevice.Plain, count));

    public static byte[] Info(ushort id) =>
        RawClient.Message(id, Command.DeviceGetInfo, new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0));

    /// <summary>The device asks for memory.</summary>
    public RawReply HearRead(ulong offset, ulong count)
    {
        RawReply request = Back.HearCommand(Command.DmaRead);
        request.Header.NoReply.Should().BeFalse();
        WireFormat.Read<DmaAccess>(request.Payload).Should().Be(new DmaAccess(Memory + (ulong)offset, count));
        request.Payload.Should().HaveCount(DmaAccess.WireSize);
        return request;
    }

    /// <summary>And gets it.</summary>
    public void Answer(RawReply request, params ReadOnlySpan<byte> data) =>
        Back.Answer(request, RawClient.Bytes(WireFormat.Read<DmaAccess>(request.Payload), data));

    /// <summary>Or not.</summary>
    public void Refuse(RawReply request, Errno errno) => Back.SayBytes(RawClient.Message(new MessageHeader(
        request.Header.MessageId, request.Header.Command, MessageHeader.WireSize, MessageFlags.Reply | MessageFlags.Error, (uint)errno)));

    /// <summary>Hears what a read of BAR 0 brought.</summary>
    public void ShouldHaveRead(ushort id, params byte[] expected)
    {
        Client.HearReply(id, Command.RegionRead).ShouldBegin<RegionAccess>(out byte[] data).Count.Should().Be((uint)expected.Length);
        data.Should().Equal(expected);
    }

    public void Dispose()
    {
        Client.Dispose();
        Served.Dispose();
    }
}
