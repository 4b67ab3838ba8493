using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Docs.Tests.Migration;

/// <summary>The devices of <c>docs/migration.md</c> arrive with their state.</summary>
public class MigrationGuideTests
{
    [Fact]
    public void Registers_move_by_themselves()
    {
        OfRegisters source = new();
        OfRegisters target = new();

        Migrate(source, target);

        target.Value.Value.Should().Be(7);
    }

    [Fact]
    public void One_structure_moves()
    {
        OfOneStructure source = new() { State = -5 };
        OfOneStructure target = new();

        Migrate(source, target);

        target.State.Should().Be(-5);
        target.Value.Value.Should().Be(7);
    }

    [Fact]
    public void One_piece_moves()
    {
        OfOnePiece source = new() { State = [1, 2, 3, 4] };
        OfOnePiece target = new();

        Migrate(source, target);

        target.State.Should().Equal(1, 2, 3, 4);
    }

    [Fact]
    public void A_stream_moves()
    {
        OfAStream source = new();
        OfAStream target = new();
        source.Journal.AddRange(Enumerable.Range(0, 100_000).Select(i => (byte)i));

        Migrate(source, target);

        target.Journal.Should().Equal(source.Journal);
    }

    [Fact]
    public void Format_of_the_device_moves()
    {
        OfItsOwnFormat source = new();
        OfItsOwnFormat target = new();

        Migrate(source, target);

        target.Value.Value.Should().Be(7);
    }

    private static void Migrate(OneRegister source, OneRegister target)
    {
        using var from = TestGuest.Attach(source);
        using var to = TestGuest.Attach(target);
        from.Bar0.Write(0x00, 7u);

        from.Client.SetMigrationState(MigrationState.StopCopy);
        to.Client.SetMigrationState(MigrationState.Resuming);
        byte[] piece = new byte[10_000];
        int count;
        do
        {
            count = from.Client.ReadMigrationData(piece);
            to.Client.WriteMigrationData(piece.AsSpan(0, count));
        }
        while (count == piece.Length);
        to.Client.SetMigrationState(MigrationState.Running);
    }
}
