using System.Reflection;
using System.Runtime.CompilerServices;

namespace VfioUser.Protocol.Tests.Wire;

/// <summary>One row of the specification's tables: a field, where it is and how long.</summary>
public sealed record Field(string Name, int Offset, int Size);

/// <summary>A wire structure beside what the specification says of it.</summary>
public abstract class Layout
{
    public abstract Type Type { get; }

    public static Layout Of<T>(int size, params Field[] fields) where T : unmanaged => new Typed<T>(size, fields);

    public abstract void Verify();

    public override string ToString() => Type.Name;

    private sealed class Typed<T>(int size, Field[] fields) : Layout where T : unmanaged
    {
        public override Type Type => typeof(T);

        public override void Verify()
        {
            Unsafe.SizeOf<T>().Should().Be(size);
            typeof(T).GetField("WireSize")!.GetRawConstantValue().Should().Be(size);
            VerifyThatFieldsTile();
            foreach (Field field in fields)
                VerifyThatOnlyThisFieldSees(field);
        }

        private void VerifyThatFieldsTile()
        {
            ConstructorInfo constructor = typeof(T).GetConstructors().Single(c => c.GetParameters().Length == fields.Length);
            constructor.GetParameters().Select(p => p.Name).Should().Equal(fields.Select(f => f.Name));
            int end = 0;
            foreach (Field field in fields)
            {
                field.Offset.Should().Be(end, "{0}.{1} follows its predecessor", Type.Name, field.Name);
                end += field.Size;
            }

            end.Should().Be(size);
        }

        // All bytes of one field set, all others clear: that property is all ones, every other one is zero.
        private void VerifyThatOnlyThisFieldSees(Field field)
        {
            byte[] bytes = new byte[size];
            bytes.AsSpan(field.Offset, field.Size).Fill(0xFF);

            T value = WireFormat.Read<T>(bytes);

            foreach (Field each in fields)
            {
                ulong expected = each != field ? 0 : ulong.MaxValue >> (64 - (8 * field.Size));
                Number(value, each.Name).Should().Be(expected, "{0}.{1} with {2} set", Type.Name, each.Name, field.Name);
            }
        }

        private static ulong Number(T value, string property)
        {
            object number = typeof(T).GetProperty(property)!.GetValue(value)!;
            if (number is Enum)
                number = Convert.ChangeType(number, Enum.GetUnderlyingType(number.GetType()), null);
            return Convert.ToUInt64(number, null);
        }
    }
}
