using System.Buffers.Binary;
using System.Numerics;
using VfioUser.Network;

namespace VfioUser.Virtio;

/// <summary>Puts frames into the driver's buffers: at once, on the thread that sends them, or later on the queue's worker if there are no
/// buffers or the memory is not mapped.</summary>
/// <remarks>VIRTIO 1.3 5.1.6.3 "Setting Up Receive Buffers", 5.1.6.4 "Processing of Incoming Packets".</remarks>
internal sealed class ReceiveQueue(VirtioNet device, int capacity)
{
    /// <summary>So many buffers a frame may take.</summary>
    public const int MaxBuffers = 1024;

    private const int BuffersOffset = 10;
    private const int HashOffset = 12;
    private const int FramesPerPass = 64;

    private readonly FrameQueue _waiting = new(capacity);
    private readonly List<VirtioChain> _taken = [];
    private long _frames;
    private long _bytes;
    private long _dropped;

    /// <summary>Setup.</summary>
    public VirtioQueue Queue { private get; set; } = null!;

    public long Frames => Volatile.Read(ref _frames);

    public long Bytes => Volatile.Read(ref _bytes);

    public long Dropped => Volatile.Read(ref _dropped) + _waiting.Dropped;

    /// <summary>Any thread: a frame for the guest.</summary>
    public void Receive(in NetworkFrame frame)
    {
        if (!Queue.IsRunning)
        {
            Drop();
            return;
        }
        bool isPass = _waiting.IsEmpty && Queue.TryBeginPass();
        if (isPass)
        {
            bool isDone = true;
            try
            {
                isDone = _waiting.IsEmpty && TryStore(Queue, frame, inPlaceOnly: true);
            }
            catch (Exception e)
            {
                // the sender's thread, which has no part in it
                Queue.FailPass(e);
            }
            finally
            {
                Queue.EndPass();
            }
            if (isDone)
                return;
        }
        // one that has begun a pass has switched the driver's notifications off
        if (_waiting.Add(frame, out bool isFirst) && (isFirst || isPass))
            Queue.Wake();
    }

    /// <summary>The queue's handler.</summary>
    public bool Poll(VirtioQueue queue)
    {
        for (int i = 0; i < FramesPerPass; i++)
        {
            if (!_waiting.TryPeek(out NetworkFrame frame) || !TryStore(queue, frame, inPlaceOnly: false))
                return i > 0;
            _waiting.RemoveFirst();
        }
        return true;
    }

    /// <summary>Command thread, when the queue is not in use.</summary>
    public void Clear()
    {
        _waiting.Clear();
        _taken.Clear();
    }

    /// <returns>False if it has to wait for buffers, or is for the worker.</returns>
    private bool TryStore(VirtioQueue queue, in NetworkFrame frame, bool inPlaceOnly)
    {
        int needed = device.HeaderLength + frame.Length;
        long room = 0;
        int slots = 0;
        do
        {
            if (!queue.TryTake(out VirtioChain? chain))
                return PutBack() && slots == queue.Size && Drop(); // a ring that is too small as a whole never has room
            _taken.Add(chain);
            room += chain.Writable.Length;
            slots += chain.Slots;
            if (inPlaceOnly && !chain.Writable.IsMapped(writable: true))
                return !PutBack();
        }
        while (room < needed && device.IsMergeable && _taken.Count < MaxBuffers);

        if (room < needed || _taken[0].Writable.Length < device.HeaderLength || (frame.Offload.Required & ~device.Offloads) != 0)
            return PutBack() && Drop();
        bool isStored = Write(frame);
        _taken.Clear();
        return isStored || Drop();
    }

    private bool Write(in NetworkFrame frame)
    {
        int headerLength = device.HeaderLength;
        Span<byte> header = stackalloc byte[VirtioNet.MaxHeaderLength];
        header = header[..headerLength];
        bool tellsValid = (device.Offloads & PortOffloads.Checksum) != 0;
        OffloadHeader.Write(header, tellsValid ? frame.Offload : frame.Offload with { IsChecksumValid = false });
        BinaryPrimitives.WriteUInt16LittleEndian(header[BuffersOffset..], (ushort)_taken.Count);
        if (headerLength > HashOffset)
            WriteHash(header[HashOffset..], frame.Head);
        bool isWritten = _taken[0].Writable.TryWrite(0, header);
        int done = 0;
        for (int i = 0, skip = headerLength; i < _taken.Count; i++, skip = 0)
        {
            DmaList buffer = _taken[i].Writable;
            int count = (int)Math.Min(buffer.Length - skip, frame.Length - done);
            isWritten = isWritten && frame.TryCopyTo(done, count, buffer, skip);
            // a driver finds a buffer of 0 bytes where one of the two memories was gone
            _taken[i].Complete(isWritten ? skip + count : 0);
            done += count;
        }
        if (!isWritten)
            return false;
        Volatile.Write(ref _frames, _frames + 1);
        Volatile.Write(ref _bytes, _bytes + frame.Length);
        return true;
    }

    // value, then what it is of; the rest is zero
    private void WriteHash(Span<byte> report, ReadOnlySpan<byte> head)
    {
        uint hash = 0;
        HashTypes type = device.Rss?.HashOf(head, out hash) ?? HashTypes.None;
        BinaryPrimitives.WriteUInt32LittleEndian(report, hash);
        BinaryPrimitives.WriteUInt16LittleEndian(report[4..], (ushort)(BitOperations.Log2((uint)type << 1)));
    }

    private bool PutBack()
    {
        for (int i = _taken.Count - 1; i >= 0; i--)
            Queue.PutBack(_taken[i]);
        _taken.Clear();
        return true;
    }

    private bool Drop()
    {
        Interlocked.Increment(ref _dropped);
        return true;
    }
}
