using System.Buffers.Binary;

namespace VfioUser.Testing;

/// <summary>A queue of a virtio device, from its driver's side. One thread at a time.</summary>
/// <remarks>VIRTIO 1.3 2.6.</remarks>
public abstract class VirtioDriverQueue
{
    private const int DescriptorLength = 16;

    private protected const ushort NextFlag = 1;
    private protected const ushort WriteFlag = 2;
    private protected const ushort IndirectFlag = 4;

    private const ulong IndirectFeature = 1ul << 28;
    private const ulong PackedFeature = 1ul << 34;

    private readonly VirtioDriver _driver;
    private readonly ushort _notifyOffset;
    private readonly bool _isIndirect;

    private protected VirtioDriverQueue(VirtioDriver driver, int index, int size, ushort notifyOffset)
    {
        (_driver, Index, Size, _notifyOffset) = (driver, index, size, notifyOffset);
        _isIndirect = driver.Options.Indirect && (driver.Features & IndirectFeature) != 0;
        Descriptors = Memory.Allocate((ulong)(DescriptorLength * size));
    }

    /// <summary>Its number, from 0.</summary>
    public int Index { get; }

    /// <summary>How many entries it has.</summary>
    public int Size { get; }

    /// <summary>Where the descriptor table, or the ring of a packed queue, is.</summary>
    public Iova Descriptors { get; }

    /// <summary>Where the available ring is, or the driver's event suppression structure.</summary>
    public Iova DriverArea { get; private protected init; }

    /// <summary>Where the used ring is, or the device's event suppression structure.</summary>
    public Iova DeviceArea { get; private protected init; }

    private protected GuestRam Memory => _driver.Guest.Memory;

    internal static VirtioDriverQueue Create(VirtioDriver driver, int index, int size, ushort notifyOffset) =>
        (driver.Features & PackedFeature) != 0
            ? new PackedDriverQueue(driver, index, size, notifyOffset)
            : new SplitDriverQueue(driver, index, size, notifyOffset);

    /// <summary>Makes a buffer available, without a notification.</summary>
    /// <param name="parts">Readable ones before writable ones.</param>
    /// <returns>Its number until it is used.</returns>
    /// <exception cref="TestGuestException">The queue is full.</exception>
    public ushort Add(params ReadOnlySpan<VirtioPart> parts)
    {
        if (_isIndirect && parts.Length > 1)
            return AddParts([new VirtioPart(PutTable(parts), DescriptorLength * parts.Length, writable: false)], IndirectFlag);
        return AddParts(parts, flags: 0);
    }

    /// <summary>Notifies the device, if it wants that.</summary>
    public void Notify()
    {
        if (WantsNotification())
            NotifyAlways();
    }

    /// <summary>Notifies the device, whether it wants that or not.</summary>
    public void NotifyAlways() => _driver.Notify(Index, _notifyOffset, Progress);

    /// <summary>Takes a buffer that the device has used, if there is one.</summary>
    public abstract bool TryTake(out VirtioUsed used);

    /// <summary>Waits for a buffer that the device has used.</summary>
    /// <exception cref="TestGuestException">None came within the guest's timeout.</exception>
    public VirtioUsed Take()
    {
        GuestIrq irq = _driver.Interrupts[Index + 1];
        while (true)
        {
            int seen = irq.Count;
            if (TryTake(out VirtioUsed used) || (EnableInterrupts() && TryTake(out used)))
                return used;
            irq.WaitFor(seen + 1);
        }
    }

    /// <summary>Sends a request and waits for the answer.</summary>
    /// <param name="request">What the device reads.</param>
    /// <param name="answerLength">How much it may write.</param>
    /// <returns>What it has written.</returns>
    public byte[] Request(ReadOnlySpan<byte> request, int answerLength)
    {
        List<VirtioPart> parts = [];
        if (request.Length > 0)
            parts.Add(new VirtioPart(_driver.Guest.Place(request), request.Length, writable: false));
        Iova answer = Memory.Allocate((ulong)Math.Max(answerLength, 1));
        if (answerLength > 0)
            parts.Add(new VirtioPart(answer, answerLength, writable: true));
        ushort id = Add([.. parts]);
        Notify();
        VirtioUsed used = Take();
        if (used.Id != id)
            throw new TestGuestException($"The device has used buffer {used.Id} of queue {Index}, and not {id}.");
        return Memory.ReadBytes(answer, (int)used.Written);
    }

    private protected abstract ushort AddParts(ReadOnlySpan<VirtioPart> parts, ushort flags);

    private protected abstract bool WantsNotification();

    /// <summary>How far the driver has come, as a notification with data says it.</summary>
    private protected abstract ushort Progress { get; }

    /// <summary>Asks for an interrupt for the next buffer.</summary>
    /// <returns>True: look again.</returns>
    private protected abstract bool EnableInterrupts();

    private protected bool HasEventIndex => (_driver.Features & 1ul << 29) != 0;

    private protected void PutDescriptor(Iova at, in VirtioPart part, ushort lower, ushort upper)
    {
        Span<byte> descriptor = stackalloc byte[DescriptorLength];
        BinaryPrimitives.WriteUInt64LittleEndian(descriptor, part.Address.Value);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor[8..], (uint)part.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(descriptor[12..], lower);
        BinaryPrimitives.WriteUInt16LittleEndian(descriptor[14..], upper);
        Memory.Write(at, descriptor);
    }

    private protected abstract void PutTableEntry(Iova at, in VirtioPart part, int index, bool isLast);

    private Iova PutTable(ReadOnlySpan<VirtioPart> parts)
    {
        Iova table = Memory.Allocate((ulong)(DescriptorLength * parts.Length));
        for (int i = 0; i < parts.Length; i++)
            PutTableEntry(table + (ulong)(DescriptorLength * i), parts[i], i, i == parts.Length - 1);
        return table;
    }
}
