using System.Runtime.CompilerServices;

namespace VfioUser.Testing;

/// <summary>A ring of entries in guest memory, from its driver's side: descriptors that the device works through, or results that it
/// writes.</summary>
/// <typeparam name="T">An entry, as it is in memory.</typeparam>
/// <remarks>
/// <para>The thread of the test. Where <see cref="Tail"/> and <see cref="Head"/> are in the device's registers, and how an entry says that it
/// is done, is the device's matter:</para>
/// <code>
/// ring.Put(descriptor);
/// guest.Registers["TAIL"].Write((ulong)ring.Tail);
/// guest.MsiX[0].WaitForNext();
/// ring.TryTake(static descriptor =&gt; descriptor.IsDone, out Descriptor done);
/// </code>
/// </remarks>
public sealed class GuestRing<T>
    where T : unmanaged
{
    private GuestRam _memory;

    /// <summary>Allocates a ring of zeros.</summary>
    /// <param name="memory">The guest's.</param>
    /// <param name="count">How many entries; at least 2, for one stays free.</param>
    /// <exception cref="TestGuestException">The guest has no memory left.</exception>
    public GuestRing(GuestRam memory, int count)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 2);
        _memory = memory;
        Count = count;
        Address = memory.Allocate((ulong)Length);
    }

    /// <summary>First byte, at the beginning of a page.</summary>
    public Iova Address { get; }

    /// <summary>How many entries there are.</summary>
    public int Count { get; }

    /// <summary>Of the ring, in bytes.</summary>
    public int Length => checked(Count * Unsafe.SizeOf<T>());

    /// <summary>The oldest entry that was not taken. Set it to what the device says, or after a reset: 0 to <see cref="Count"/> - 1.</summary>
    public int Head
    {
        get;
        set => field = Checked(value);
    }

    /// <summary>Where the next entry is put. Set it after a reset: 0 to <see cref="Count"/> - 1.</summary>
    public int Tail
    {
        get;
        set => field = Checked(value);
    }

    /// <summary>How often <see cref="Head"/> has come round since it was created: of rings whose entries have a phase.</summary>
    public int Laps { get; private set; }

    /// <summary>How many entries were put and not taken.</summary>
    public int Used => (Tail - Head + Count) % Count;

    /// <summary>How many can be put: a full ring has one free entry, for it would look as an empty one.</summary>
    public int Free => Count - 1 - Used;

    /// <summary>An entry.</summary>
    /// <param name="index">0 to <see cref="Count"/> - 1.</param>
    public T this[int index]
    {
        get => _memory.Read<T>(AddressOf(index));
        set => _memory.WriteStruct(AddressOf(index), value);
    }

    /// <summary>Where an entry is.</summary>
    /// <param name="index">0 to <see cref="Count"/> - 1.</param>
    public Iova AddressOf(int index) => Address + (ulong)Checked(index) * (ulong)Unsafe.SizeOf<T>();

    /// <summary>Puts an entry at <see cref="Tail"/>, which moves on. The device does not know until it is told.</summary>
    /// <returns>The entry's index.</returns>
    /// <exception cref="TestGuestException">The ring is full.</exception>
    public int Put(in T entry)
    {
        if (Free == 0)
            throw new TestGuestException($"The ring of {Count} entries is full: take some, or set Head to where the device is.");
        int index = Tail;
        this[index] = entry;
        Tail = (index + 1) % Count;
        return index;
    }

    /// <summary>Takes the oldest entry that was put, if the device is done with it.</summary>
    /// <param name="isDone">Whether an entry is done.</param>
    /// <param name="entry">The entry, as the device has left it.</param>
    /// <returns>False if there is none, or it is not done.</returns>
    public bool TryTake(Func<T, bool> isDone, out T entry)
    {
        entry = default;
        return Used > 0 && TryReceive(isDone, out entry);
    }

    /// <summary>Takes the entry at <see cref="Head"/>, if the device has written it: of a ring of results, in which the driver puts
    /// nothing.</summary>
    /// <param name="isNew">Whether an entry is a new one, by its phase for instance: see <see cref="Laps"/>.</param>
    /// <param name="entry">The entry.</param>
    /// <returns>False if it is not new.</returns>
    public bool TryReceive(Func<T, bool> isNew, out T entry)
    {
        ArgumentNullException.ThrowIfNull(isNew);
        entry = this[Head];
        if (!isNew(entry))
            return false;
        // what says so is written last: the rest may have been read before
        Interlocked.MemoryBarrier();
        entry = this[Head];
        Head = (Head + 1) % Count;
        if (Head == 0)
            Laps++;
        return true;
    }

    /// <summary>The guest has migrated: the ring is in the memory of the other one, at the same address.</summary>
    /// <param name="memory">From the guest that the migration gave.</param>
    public void MoveTo(GuestRam memory)
    {
        ArgumentNullException.ThrowIfNull(memory);
        _memory = memory;
    }

    private int Checked(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        return index;
    }
}
