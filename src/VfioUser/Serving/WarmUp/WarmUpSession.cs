using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging.Abstractions;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A server and a client of it in this process, which does what a guest's firmware and driver do first.</summary>
internal sealed class WarmUpSession
{
    // so often a method is compiled again, optimized, where compilation is tiered
    private const int Times = 40;

    private readonly MessageChannel _client;

    private WarmUpSession(MessageChannel client) => _client = client;

    private int Refused { get; set; }

    /// <returns>How many of its commands the server refused: none, unless it has changed and this has not.</returns>
    /// <exception cref="IOException">The system has no free descriptors.</exception>
    public static int Run()
    {
        (SafeSocketHandle clientEnd, SafeSocketHandle serverEnd) = SocketCalls.CreatePair();
        using MessageChannel client = new(new MessageSocket(clientEnd));
        using WarmUpMeters meters = new();
        using WarmUpDevice device = new();
        using VfioUserServer server = VfioUserServer.FromConnected(serverEnd, new VfioUserServerOptions
        {
            Logger = NullLogger.Instance,
            MeterFactory = meters,
            Name = "warm-up",
        });
        Task serving = server.RunAsync(device);
        WarmUpSession session = new(client);
        session.Attach();
        client.Shutdown();
        serving.GetAwaiter().GetResult();
        return session.Refused;
    }

    private void Attach()
    {
        Call(Command.Version, VersionMessage.Format(Negotiator.Version, Capabilities.ClientDefaults));
        Call(Command.DeviceGetInfo, new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0));
        for (uint region = 0; region < PciDevice.PciRegionCount; region++)
            Call(Command.DeviceGetRegionInfo, new RegionInfo(RegionInfo.WireSize, 0, region, 0, 0, 0));
        for (uint type = 0; type < PciDevice.PciIrqCount; type++)
            Call(Command.DeviceGetIrqInfo, new IrqInfo(IrqInfo.WireSize, 0, type, 0));
        Call(Command.DeviceReset, []);
        using SharedMemory memory = SharedMemory.Create(ProtocolLimits.PageSize);
        using EventFd interrupt = new();
        Call(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0, WarmUpDevice.Guest, ProtocolLimits.PageSize), memory.File);
        Call(Command.DeviceSetIrqs, new IrqSet(IrqSet.WireSize, IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, (uint)IrqType.MsiX, 0, 1), interrupt.Handle);
        Access(RegionIndex.Bar0, WarmUpDevice.VectorControl); // clears the mask of its vector
        for (int i = 0; i < Times; i++)
            Access();
        Call(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, WarmUpDevice.Guest, ProtocolLimits.PageSize));
    }

    private void Access()
    {
        Access(RegionIndex.Config, 0);
        Access(RegionIndex.Bar0, WarmUpDevice.Register);
        Access(RegionIndex.Bar0, WarmUpDevice.Doorbell);
    }

    private void Access(RegionIndex region, ulong offset)
    {
        RegionAccess access = new(offset, (uint)region, sizeof(uint));
        Call(Command.RegionRead, access);
        Span<byte> write = stackalloc byte[RegionAccess.WireSize + sizeof(uint)];
        WireFormat.Write(write, access);
        write[RegionAccess.WireSize..].Clear();
        Call(Command.RegionWrite, write);
    }

    private void Call<T>(Command command, T payload, params ReadOnlySpan<SafeHandle> fds)
        where T : unmanaged => Call(command, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in payload)), fds);

    private void Call(Command command, ReadOnlySpan<byte> payload, params ReadOnlySpan<SafeHandle> fds)
    {
        using Reply reply = _client.Call(command, payload, default, fds);
        if (reply.Errno != Errno.None)
            Refused++;
    }
}
