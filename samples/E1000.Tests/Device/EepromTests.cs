using E1000.Device;
using E1000.Tests.Support;

namespace E1000.Tests.Device;

public class EepromTests
{
    private const uint EnableWrites = 0b100_110000;
    private const uint DisableWrites = 0b100_000000;

    [Fact]
    public void All_words_add_up_and_begin_with_the_address()
    {
        using Rig rig = new();

        ushort[] words = [.. Enumerable.Range(0, Eeprom.WordCount).Select(address => ReadWord(rig, address))];

        words[..3].Should().Equal(0x5452, 0xAA00, 0x01BB);
        ((ushort)words.Sum(word => word)).Should().Be(0xBABA);
    }

    [Fact]
    public void Words_come_bit_by_bit_and_are_the_same_that_EERD_gives()
    {
        using Rig rig = new();

        for (int address = 0; address < Eeprom.WordCount; address++)
        {
            Select(rig);
            ShiftOut(rig, 0b110u << 6 | (uint)address, 9);
            ShiftIn(rig).Should().Be(ReadWord(rig, address), "word {0}", address);
            Deselect(rig);
        }
    }

    [Fact]
    public void A_read_goes_on_with_the_next_word_for_as_long_as_the_clock_runs()
    {
        using Rig rig = new();

        Select(rig);
        ShiftOut(rig, 0b110u << 6 | 62, 9);

        ushort[] read = [ShiftIn(rig), ShiftIn(rig), ShiftIn(rig)];
        read.Should().Equal(ReadWord(rig, 62), ReadWord(rig, 63), ReadWord(rig, 0));
    }

    [Fact]
    public void A_word_is_written_only_while_writes_are_enabled()
    {
        using Rig rig = new();
        ushort before = ReadWord(rig, 5);

        WriteWord(rig, 5, 0x1234);
        ReadWord(rig, 5).Should().Be(before);

        Command(rig, EnableWrites);
        WriteWord(rig, 5, 0x1234);
        ReadWord(rig, 5).Should().Be(0x1234);

        Command(rig, DisableWrites);
        WriteWord(rig, 5, 0x4321);
        ReadWord(rig, 5).Should().Be(0x1234);
    }

    [Fact]
    public void Access_is_granted_while_it_is_requested()
    {
        using Rig rig = new();

        rig["EECD"] = (ulong)EepromControl.Request;
        ((EepromControl)rig["EECD"] & EepromControl.Grant).Should().Be(EepromControl.Grant);
        rig["EECD"] = 0;
        ((EepromControl)rig["EECD"] & EepromControl.Grant).Should().Be((EepromControl)0);
    }

    [Fact]
    public void EERD_gives_zero_for_words_that_there_are_not()
    {
        using Rig rig = new();

        ReadWord(rig, 64).Should().Be(0);
        ReadWord(rig, 255).Should().Be(0);
    }

    internal static ushort ReadWord(Rig rig, int address)
    {
        rig["EERD"] = (uint)address << 8 | 1;
        ulong read = rig["EERD"];
        (read & 0x11).Should().Be(0x10, "it is done");
        return (ushort)(read >> 16);
    }

    internal static void WriteWord(Rig rig, int address, ushort value)
    {
        Select(rig);
        ShiftOut(rig, 0b101u << 6 | (uint)address, 9);
        ShiftOut(rig, value, 16);
        Deselect(rig);
        Select(rig);
        ((EepromControl)rig["EECD"] & EepromControl.DataOut).Should().Be(EepromControl.DataOut, "it is ready");
        Deselect(rig);
    }

    internal static void Command(Rig rig, uint command)
    {
        Select(rig);
        ShiftOut(rig, command, 9);
        Deselect(rig);
    }

    private static void Select(Rig rig) => rig["EECD"] = (ulong)EepromControl.ChipSelect;

    private static void Deselect(Rig rig) => rig["EECD"] = 0;

    private static void ShiftOut(Rig rig, uint bits, int count)
    {
        for (int i = count - 1; i >= 0; i--)
        {
            EepromControl wires = EepromControl.ChipSelect | ((bits >> i & 1) != 0 ? EepromControl.DataIn : 0);
            rig["EECD"] = (ulong)wires;
            rig["EECD"] = (ulong)(wires | EepromControl.Clock);
            rig["EECD"] = (ulong)wires;
        }
    }

    private static ushort ShiftIn(Rig rig)
    {
        int word = 0;
        for (int i = 0; i < 16; i++)
        {
            rig["EECD"] = (ulong)(EepromControl.ChipSelect | EepromControl.Clock);
            word = word << 1 | (((EepromControl)rig["EECD"] & EepromControl.DataOut) != 0 ? 1 : 0);
            rig["EECD"] = (ulong)EepromControl.ChipSelect;
        }
        return (ushort)word;
    }
}
