using VfioUser.PowerLoss.Tests.Load;

namespace VfioUser.PowerLoss.Tests.Guests;

/// <summary>A device with a disk, and a guest whose driver uses it.</summary>
/// <remarks>One thread.</remarks>
internal interface IBlockGuest : IDisposable
{
    /// <summary>Operations that can be under way.</summary>
    int Slots { get; }

    int BlockSize { get; }

    /// <summary>Whether there is Force Unit Access.</summary>
    bool HasDurableWrites { get; }

    /// <summary>Sends an operation, with records for what is written.</summary>
    void Post(int slot, in Operation operation);

    /// <summary>Takes an answer, if there is one.</summary>
    bool TryTake(out int slot, out bool isDone);

    /// <summary>What a read has brought.</summary>
    ReadOnlySpan<byte> DataOf(int slot, in Operation operation);

    /// <summary>Has every write be durable when it is answered.</summary>
    void TurnCacheOff();
}
