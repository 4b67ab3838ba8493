using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser.Limits.Tests;

/// <summary>A client maps 100,000 regions of a file that cannot shrink and 2,000 of one that can, in a process that has few descriptors.</summary>
internal static class MappingScenario
{
    private const int Sealed = 100_000;
    private const int Unsealed = 2_000;
    private const int Batch = 100;
    private const ulong Page = 0x1000;
    private const ulong UnsealedAt = 1ul << 40;

    public static void Run()
    {
        Limits.Descriptors = 256;
        Card card = new();
        (SafeSocketHandle serverEnd, SafeSocketHandle clientEnd) = SocketCalls.CreatePair();
        using VfioUserServer server = VfioUserServer.FromConnected(serverEnd, new VfioUserServerOptions { MaxDmaMaps = 2 * Sealed });
        using RawPeer client = new(clientEnd);
        Task serving = server.RunAsync(card);
        client.Write(Frame.Command(0, Command.Version,
            VersionMessage.Format(Negotiator.Version, Capabilities.ClientDefaults with { MaxDmaMaps = 2 * Sealed })));
        client.ReadHeader().Error.Should().Be(0);
        using SafeFileHandle memory = FileCalls.CreateMemory("limits-sealed", Sealed * Page);
        using SafeFileHandle file = FileCalls.CreateMemory("limits-unsealed", Unsealed * Page, resizable: true);

        Map(client, memory, 0, Sealed);
        Map(client, file, UnsealedAt, Unsealed);

        Mappings("limits-sealed").Should().Be(1);
        OpenCopies("limits-sealed").Should().Be(1, "the client has it");
        OpenCopies("limits-unsealed").Should().Be(2);
        card.Dma.Regions.Count(region => region.Backing == DmaBacking.Mapped).Should().Be(Sealed);
        card.Dma.Regions.Count(region => region.Backing == DmaBacking.FileIo).Should().Be(Unsealed);
        Written(card, memory, AddressOf(0, Sealed - 1), (Sealed - 1) * Page).Should().BeTrue();
        Written(card, file, AddressOf(UnsealedAt, Unsealed - 1), (Unsealed - 1) * Page).Should().BeTrue();

        client.Dispose();
        serving.Wait(Background.Timeout).Should().BeTrue();
        Mappings("limits-sealed").Should().Be(0);
        OpenCopies("limits-unsealed").Should().Be(1);
    }

    // a page between them, so that none continues another
    private static ulong AddressOf(ulong first, ulong region) => first + 2 * region * Page;

    private static void Map(RawPeer client, SafeFileHandle file, ulong first, int regions)
    {
        byte[] payload = new byte[DmaMap.WireSize];
        for (int done = 0; done < regions; done += Batch)
        {
            for (int i = done; i < done + Batch; i++)
            {
                WireFormat.Write(payload, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable, (ulong)i * Page,
                    AddressOf(first, (ulong)i), Page));
                client.Write(Frame.Command((ushort)i, Command.DmaMap, payload), file);
            }
            for (int i = done; i < done + Batch; i++)
                ((Errno)client.ReadHeader().Error).Should().Be(Errno.None, "of region {0}", i);
        }
    }

    private static bool Written(Card card, SafeFileHandle file, ulong address, ulong offset)
    {
        byte[] bytes = new byte[1];
        return card.Dma.TryWrite(new Iova(address), (byte)0x42) && FileCalls.ReadAt(file, bytes, offset) == Errno.None && bytes[0] == 0x42;
    }

    private static int Mappings(string name) => File.ReadLines("/proc/self/maps").Count(line => line.Contains($"/memfd:{name} ", StringComparison.Ordinal));

    private static int OpenCopies(string name) =>
        Directory.GetFiles("/proc/self/fd").Count(path => new FileInfo(path).LinkTarget?.StartsWith($"/memfd:{name} ", StringComparison.Ordinal) == true);

    private sealed class Card : PciDevice
    {
        public Card()
            : base(new PciId(0x1B36, 0x00F3), PciClass.ProcessingAccelerator) => RequiresBusMaster = false;
    }
}
