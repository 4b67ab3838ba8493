using System.Numerics;

namespace VfioUser.Nvme;

/// <summary>What is needed to carry out commands, one after the other, without allocating.</summary>
internal sealed class CommandContext(ControllerParts parts)
{
    /// <summary>MDTS: the longest transfer is two to the power of it, in pages.</summary>
    public const int MaxTransferExponent = 7;

    /// <summary>In bytes.</summary>
    public const int MaxTransfer = Prp.PageSize << MaxTransferExponent;

    private const int LeastBounce = 16 << 10;

    // what a slot keeps from one command to the next
    private const int MostKept = 128 << 10;

    private readonly byte[] _page = new byte[Prp.PageSize];
    private Memory<byte> _bounce;

    public GuestPass Pass { get; } = new(parts.Guest);

    /// <summary>The data of the command at hand, after <see cref="Map"/>.</summary>
    public NvmeData Data { get; } = new(parts.Dma);

    /// <summary>Finds the data of a command.</summary>
    /// <param name="command">Has a data pointer.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="isAdmin">Then it must not be an SGL.</param>
    public Status Map(in Command command, int length, bool isAdmin = false)
    {
        Data.Clear();
        if (length > MaxTransfer)
            return Status.InvalidField;
        if (command.DataPointerKind == 0)
            return Prp.Map(command.Prp1, command.Prp2, length, _page, Data);
        return isAdmin || command.DataPointerKind == 3 ? Status.InvalidField : Sgl.Map(SglDescriptor.Of(command), length, _page, Data);
    }

    /// <summary>Memory of ours for a command's data: at a multiple of 4096, and never moved.</summary>
    public Memory<byte> Bounce(int length)
    {
        if (_bounce.Length < length)
        {
            int size = Math.Max((int)BitOperations.RoundUpToPowerOf2((uint)length), LeastBounce);
            _bounce = AlignedMemory.Allocate(size);
        }
        return _bounce[..length];
    }

    /// <summary>Gives memory back that few commands need.</summary>
    public void TrimBounce()
    {
        if (_bounce.Length > MostKept)
            _bounce = default;
    }

    /// <summary>Goes back within the gate after a wait outside.</summary>
    /// <param name="status">How the command ended.</param>
    /// <returns>No completion if the controller was reset meanwhile.</returns>
    public CommandOutcome Reenter(Status status) => Pass.TryEnter() ? status : CommandOutcome.NoCompletion;

    /// <summary>Gives the guest a page of an admin command.</summary>
    public Status Return(in Command command, ReadOnlySpan<byte> data)
    {
        Status status = Map(command, data.Length, isAdmin: true);
        if (status != Status.Success)
            return status;
        return Data.TryCopyFrom(0, data) ? Status.Success : Status.DataTransferError;
    }
}
