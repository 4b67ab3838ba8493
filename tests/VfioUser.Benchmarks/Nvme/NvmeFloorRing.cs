using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser.Benchmarks;

/// <summary>The least that two processes need for copies of 4 KiB: a ring of requests, two counters, two eventfds.</summary>
/// <remarks>Both sides have one on the same memory.</remarks>
internal sealed class NvmeFloorRing(SharedMemory memory, ulong offset, EventFd toServer, EventFd toClient) : ILoadQueue
{
    public const int Slots = 128;
    public const int Size = Header + Slots * BlockSize;
    private const int BlockSize = 4096;
    private const int Header = 4096;
    private const int DoneCounter = 64;
    private const int Entries = 1024;

    private long _put;
    private long _taken;

    private ref long Rung => ref At(0);

    private ref long Done => ref At(DoneCounter);

    public void Put(int slot, long block, bool write) => At(Entries + _put++ % Slots * sizeof(long)) = block << 16 | (uint)slot << 1 | (write ? 1u : 0);

    public void Ring()
    {
        Volatile.Write(ref Rung, _put);
        toServer.Signal();
    }

    public void Wait() => Wait(toClient);

    public bool TryTake(out int slot)
    {
        slot = 0;
        if (_taken == Volatile.Read(ref Done))
            return false;
        slot = (int)(At(Entries + _taken++ % Slots * sizeof(long)) >> 1 & 0x7FFF);
        return true;
    }

    public void Taken()
    {
        // nothing to tell: no more is put than is taken
    }

    /// <summary>Does what is asked for, for ever. The server's side.</summary>
    public void Serve(byte[] disk)
    {
        while (true)
        {
            Wait(toServer);
            long rung = Volatile.Read(ref Rung);
            while (_taken < rung)
            {
                long entry = At(Entries + _taken++ % Slots * sizeof(long));
                Span<byte> data = memory.Slice(offset + Header + (ulong)(entry >> 1 & 0x7FFF) * BlockSize, BlockSize);
                Span<byte> block = disk.AsSpan((int)(entry >> 16) * BlockSize, BlockSize);
                if ((entry & 1) != 0)
                    data.CopyTo(block);
                else
                    block.CopyTo(data);
            }
            Volatile.Write(ref Done, rung);
            toClient.Signal();
        }
    }

    private static void Wait(EventFd signal)
    {
        while (signal.Take() == 0)
            signal.Wait(TimeSpan.FromMinutes(10));
    }

    private ref long At(long at) => ref MemoryMarshal.AsRef<long>(memory.Slice(offset + (ulong)at, sizeof(long)));
}
