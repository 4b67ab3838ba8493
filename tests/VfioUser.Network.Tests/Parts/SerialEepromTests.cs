namespace VfioUser.Network.Tests;

public class SerialEepromTests
{
    [Theory]
    [InlineData(64)]
    [InlineData(128)]
    [InlineData(256)]
    public void Words_are_read_one_after_the_other_for_as_long_as_the_clock_runs(int words)
    {
        SerialEeprom eeprom = new(words);
        for (int i = 0; i < words; i++)
            eeprom.Words[i] = (ushort)(0x8001 + (i * 257));

        Begin(eeprom, 0b110, words - 3);
        int[] read = [.. Enumerable.Range(0, 5).Select(_ => ReadWord(eeprom))];

        read.Should().Equal(eeprom.Words[^3], eeprom.Words[^2], eeprom.Words[^1], eeprom.Words[0], eeprom.Words[1]);
    }

    [Theory]
    [InlineData(64)]
    [InlineData(256)]
    public void Nothing_is_written_until_the_guest_enables_it(int words)
    {
        SerialEeprom eeprom = new(words);

        Write(eeprom, 5, 0x1234);
        eeprom.Words[5].Should().Be(0);

        Extended(eeprom, 0b11);
        Write(eeprom, 5, 0x1234);
        eeprom.Words[5].Should().Be(0x1234);
        Erase(eeprom, 5);
        eeprom.Words[5].Should().Be(0xFFFF);

        Extended(eeprom, 0b00);
        Write(eeprom, 5, 0x4321);
        eeprom.Words[5].Should().Be(0xFFFF);
    }

    [Fact]
    public void All_words_are_erased_and_written_at_once()
    {
        SerialEeprom eeprom = new(64);
        Extended(eeprom, 0b10);
        Extended(eeprom, 0b01, data: 7);
        eeprom.Words.ToArray().Should().OnlyContain(word => word == 0, "it is not enabled");
        Extended(eeprom, 0b11);

        Extended(eeprom, 0b10);
        eeprom.Words.ToArray().Should().OnlyContain(word => word == 0xFFFF);
        Extended(eeprom, 0b01, data: 0xABCD);
        eeprom.Words.ToArray().Should().OnlyContain(word => word == 0xABCD);
    }

    [Fact]
    public void A_command_that_is_cut_short_writes_nothing()
    {
        SerialEeprom eeprom = new(64);
        Extended(eeprom, 0b11);

        Begin(eeprom, 0b101, 9);
        Shift(eeprom, 0x7FFF, 15);
        Deselect(eeprom);
        Begin(eeprom, 0b101, 9);
        Shift(eeprom, 0x1FFFF, 17);
        Deselect(eeprom);
        Begin(eeprom, 0b101, 9);
        Shift(eeprom, 0xFFFF, 16);
        eeprom.Reset();
        Deselect(eeprom);

        eeprom.Words[9].Should().Be(0);
    }

    [Fact]
    public void A_command_goes_on_in_another_one()
    {
        SerialEeprom eeprom = new(64);
        eeprom.Words[1] = 77;
        Extended(eeprom, 0b11);
        Begin(eeprom, 0b101, 33);
        Shift(eeprom, 0xBE, 8);
        byte[] state = new byte[eeprom.StateSize];
        eeprom.Save(state);
        SerialEeprom other = new(64);

        other.Restore(state);
        Shift(other, 0xEF, 8);
        Deselect(other);

        other.Words[1].Should().Be(77);
        other.Words[33].Should().Be(0xBEEF);
    }

    [Fact]
    public void Any_state_and_any_wires_do_no_harm()
    {
        Random random = new(5);
        for (int i = 0; i < 2000; i++)
        {
            SerialEeprom eeprom = new(i % 2 == 0 ? 64 : 256);
            byte[] state = new byte[eeprom.StateSize];
            random.NextBytes(state);

            eeprom.Restore(state);
            for (int j = 0; j < 200; j++)
                eeprom.SetWires(random.Next(40) != 0, random.Next(2) == 0, random.Next(2) == 0);

            eeprom.Reset();
            Begin(eeprom, 0b110, 3);
            ReadWord(eeprom).Should().Be(eeprom.Words[3]);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(63)]
    [InlineData(512)]
    public void Other_sizes_are_refused(int words)
    {
        Action create = () => _ = new SerialEeprom(words);

        create.Should().Throw<ArgumentOutOfRangeException>().WithMessage("*64, 128 or 256*");
    }

    private static int AddressBits(SerialEeprom eeprom) => eeprom.Words.Length == 64 ? 6 : 8;

    private static void Begin(SerialEeprom eeprom, uint operation, int address)
    {
        eeprom.SetWires(select: false, clock: false, input: false);
        eeprom.SetWires(select: true, clock: false, input: false);
        eeprom.Output.Should().BeTrue("it is ready");
        Shift(eeprom, 0, 2); // what comes before the one is no command
        Shift(eeprom, operation, 3);
        Shift(eeprom, (uint)address, AddressBits(eeprom));
    }

    private static void Write(SerialEeprom eeprom, int address, ushort word)
    {
        Begin(eeprom, 0b101, address);
        Shift(eeprom, word, 16);
        Deselect(eeprom);
    }

    private static void Erase(SerialEeprom eeprom, int address)
    {
        Begin(eeprom, 0b111, address);
        Deselect(eeprom);
    }

    private static void Extended(SerialEeprom eeprom, int operation, ushort? data = null)
    {
        Begin(eeprom, 0b100, operation << (AddressBits(eeprom) - 2));
        if (data is { } word)
            Shift(eeprom, word, 16);
        Deselect(eeprom);
    }

    private static void Deselect(SerialEeprom eeprom) => eeprom.SetWires(select: false, clock: false, input: false);

    private static void Shift(SerialEeprom eeprom, uint bits, int count)
    {
        for (int i = count - 1; i >= 0; i--)
        {
            bool bit = (bits >> i & 1) != 0;
            eeprom.SetWires(select: true, clock: false, bit);
            eeprom.SetWires(select: true, clock: true, bit);
        }
        eeprom.SetWires(select: true, clock: false, input: false);
    }

    private static int ReadWord(SerialEeprom eeprom)
    {
        int word = 0;
        for (int i = 0; i < 16; i++)
        {
            eeprom.SetWires(select: true, clock: true, input: false);
            word = word << 1 | (eeprom.Output ? 1 : 0);
            eeprom.SetWires(select: true, clock: false, input: false);
        }
        return word;
    }
}
