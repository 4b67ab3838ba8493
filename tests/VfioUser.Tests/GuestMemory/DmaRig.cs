using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>A device, a server and a client that maps what a test wants, each region in its own way.</summary>
internal sealed class DmaRig : IDmaHandler, IDisposable
{
    public const DmaMapFlags ReadWrite = DmaMapFlags.Readable | DmaMapFlags.Writeable;
    private readonly GuestMemoryKind _way;
    private readonly Lock _lock = new();
    private readonly List<SharedMemory> _memories = [];
    private readonly List<(ulong Address, SharedMemory Memory)> _byMessage = [];

    public DmaRig(GuestMemoryKind way = GuestMemoryKind.Mapped, VfioUserServerOptions? server = null, Capabilities? capabilities = null,
        BlankDevice? device = null)
    {
        _way = way;
        Device = device ?? new BlankDevice();
        (SafeSocketHandle serverEnd, SafeSocketHandle clientEnd) = SocketCalls.CreatePair();
        Server = VfioUserServer.FromConnected(serverEnd, server ?? new VfioUserServerOptions());
        Serving = Server.RunAsync(Device);
        Client = VfioUserClient.FromConnected(clientEnd, new VfioUserClientOptions
        {
            TwinSocket = way == GuestMemoryKind.TwinSocket ? TwinSocketPolicy.Require : TwinSocketPolicy.Never,
            Capabilities = capabilities ?? Capabilities.ClientDefaults,
            DmaHandler = this,
        });
    }

    public BlankDevice Device { get; }

    public Dma Dma => Device.Dma;

    public VfioUserServer Server { get; }

    public Task Serving { get; }

    public VfioUserClient Client { get; }

    /// <summary>Lengths of the transfers that came by message.</summary>
    public List<int> Transfers { get; } = [];

    /// <summary>Called when memory is asked for by message, before it is answered.</summary>
    public Action? WhenAsked { get; set; }

    /// <summary>Opens fresh memory to the device.</summary>
    /// <returns>The memory, as the guest sees it.</returns>
    public SharedMemory Map(ulong address, ulong size, DmaMapFlags rights = ReadWrite, GuestMemoryKind? way = null, string name = "test")
    {
        SharedMemory memory = SharedMemory.Create(size, name);
        _memories.Add(memory);
        MapExisting(address, memory, way ?? _way, rights);
        return memory;
    }

    /// <summary>Opens memory of the test's own to the device.</summary>
    public void MapExisting(ulong address, SharedMemory memory, GuestMemoryKind way, DmaMapFlags rights = ReadWrite)
    {
        DmaMapFlags flags = rights;
        SafeHandle? file = memory.File;
        switch (way)
        {
            case GuestMemoryKind.FileIo:
                flags |= DmaMapFlags.FileIo;
                break;
            case GuestMemoryKind.TwinSocket or GuestMemoryKind.SingleSocket:
                file = null;
                lock (_lock)
                    _byMessage.Add((address, memory));
                break;
        }
        Map(flags, 0, address, memory.Length, file);
    }

    public void Map(DmaMapFlags flags, ulong offset, ulong address, ulong size, SafeHandle? file) =>
        Client.MapDma(new DmaMap(DmaMap.WireSize, flags, offset, address, size), file);

    Errno IDmaHandler.Read(ulong address, Span<byte> destination)
    {
        WhenAsked?.Invoke();
        lock (_lock)
        {
            if (Find(address, destination.Length) is not { } found)
                return Errno.ENODEV;
            found.Memory.Slice(address - found.Address, destination.Length).CopyTo(destination);
            return Errno.None;
        }
    }

    Errno IDmaHandler.Write(ulong address, ReadOnlySpan<byte> source)
    {
        WhenAsked?.Invoke();
        lock (_lock)
        {
            if (Find(address, source.Length) is not { } found)
                return Errno.ENODEV;
            source.CopyTo(found.Memory.Slice(address - found.Address, source.Length));
            return Errno.None;
        }
    }

    /// <summary>Answers no more messages for memory that was unmapped.</summary>
    public void Forget(SharedMemory memory)
    {
        lock (_lock)
            _byMessage.RemoveAll(region => region.Memory == memory);
    }

    public void Dispose()
    {
        Client.Dispose();
        Server.Dispose();
        Serving.Wait(Background.Timeout).Should().BeTrue("the server must end");
        _memories.ForEach(memory => memory.Dispose());
    }

    private (ulong Address, SharedMemory Memory)? Find(ulong address, int length)
    {
        Transfers.Add(length);
        // the newest first: it may have replaced another one
        for (int i = _byMessage.Count - 1; i >= 0; i--)
        {
            (ulong start, SharedMemory memory) = _byMessage[i];
            if (address >= start && address - start < memory.Length && (ulong)length <= memory.Length - (address - start))
                return (start, memory);
        }
        return null;
    }
}
