using System.Buffers.Binary;
using VfioUser.Protocol;

namespace VfioUser.Docs.Tests.Migration;

/// <summary>A device whose stream is its register alone, in big-endian order, in one message of the client, when it is stopped.</summary>
internal sealed class OfItsOwnFormat : OneRegister, IRawMigration
{
    private bool _isSaved = true;
    private uint? _arrived;

    public OfItsOwnFormat()
        : base(0x00D4)
    {
        EnableRawMigration(this, preCopy: true);
    }

    MigrationEstimate IRawMigration.Estimate() => new(sizeof(uint));

    void IRawMigration.OnState(MigrationState oldState, MigrationState newState)
    {
        _isSaved = newState is not MigrationState.StopCopy;
        if (newState is MigrationState.Resuming)
            _arrived = null;
        if (oldState is MigrationState.Resuming && newState is MigrationState.Stop)
            Value.Value = _arrived ?? throw new InvalidDataException("The register is missing.");
    }

    int IRawMigration.Read(Span<byte> destination)
    {
        if (_isSaved || !BinaryPrimitives.TryWriteUInt32BigEndian(destination, Value.Value))
            return 0;
        _isSaved = true;
        return sizeof(uint);
    }

    void IRawMigration.Write(ReadOnlySpan<byte> source)
    {
        if (_arrived is not null || source.Length != sizeof(uint))
            throw new InvalidDataException("The state is one register.");
        _arrived = BinaryPrimitives.ReadUInt32BigEndian(source);
    }
}
