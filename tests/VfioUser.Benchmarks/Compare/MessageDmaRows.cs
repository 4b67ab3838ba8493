using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging.Abstractions;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Benchmarks;

/// <summary>The rows in which the device asks the client for memory. The same client answers both sides.</summary>
internal sealed class MessageDmaRows(Peer client)
{
    private const int Page = 4096;
    private const int Rounds = 5_000;
    private readonly byte[] _buffer = GC.AllocateArray<byte>(2 * Page, pinned: true);

    public IEnumerable<Row> All()
    {
        Dma single = Over(twin: false);
        yield return Read("4 KiB read by message, one socket", single);
        yield return Write("4 KiB write by message, one socket", single);
        Dma twin = Over(twin: true);
        yield return Read("4 KiB read by message, twin socket", twin);
        yield return Write("4 KiB write by message, twin socket", twin);
    }

    private Row Read(string name, Dma dma) => Compare(name, 0, Page, () => dma.TryRead(new Iova(Page), _buffer.AsSpan(0, Page)));

    private Row Write(string name, Dma dma) => Compare(name, Page, 0, () => dma.TryWrite(new Iova(Page), _buffer.AsSpan(0, Page)));

    private Row Compare(string name, int sent, int received, Func<bool> access)
    {
        byte[] payload = new byte[DmaAccess.WireSize + sent];
        WireFormat.Write(payload, new DmaAccess(Page, Page));
        byte[] request = Requests.Message(sent == 0 ? Command.DmaRead : Command.DmaWrite, MessageFlags.Command, payload);
        int reply = MessageHeader.WireSize + DmaAccess.WireSize + received;
        return new Row(name, "µs", 1.15,
            () => Each(request.Length, reply, () =>
            {
                Bare.Send(client.Socket, request);
                Bare.ReceiveExactly(client.Socket, _buffer.AsSpan(0, reply));
                return true;
            }),
            () => Each(request.Length, reply, access));
    }

    private double Each(int request, int reply, Func<bool> access)
    {
        FloorPlan plan = new(FloorMode.Answer, request, reply, Rounds, 0);
        Bare.Send(client.Socket, MemoryMarshal.AsBytes(new ReadOnlySpan<FloorPlan>(in plan)));
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < Rounds; i++)
        {
            if (!access())
                throw new InvalidOperationException("The access failed.");
        }
        return Stopwatch.GetElapsedTime(start).TotalMicroseconds / Rounds;
    }

    // a descriptor of its own for the same connection: the two sides take turns
    private Dma Over(bool twin)
    {
        MessageChannel channel = new(new MessageSocket(SocketCalls.Duplicate(client.Handle)));
        if (twin)
            new Thread(channel.PumpReplies) { IsBackground = true }.Start();
        Dma dma = new() { MayMaster = true };
        DmaRegion region = new(new Iova(Page), Page, isReadable: true, isWritable: true, DmaBacking.Message);
        dma.Table = dma.Table.Add(new MessageGuestRegion(region, new DmaChannel(channel, 1 << 20, () => { }, new DmaTrouble(new ServerLog(NullLogger.Instance), TimeSpan.FromSeconds(5)))));
        return dma;
    }
}
